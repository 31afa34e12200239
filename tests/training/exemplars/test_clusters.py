"""K-Means a type: who represents it, with many entities and with few."""

import numpy as np
import pytest

from medner.agents.exemplars.embedding import unit_rows
from medner.training.exemplars.clusters import representatives


def groups(count: int, size: int, *, width: int = 16) -> np.ndarray:
    """Points around directions of their own; point n belongs to group n % count."""
    draw = np.random.default_rng(0)
    centres = np.eye(width)[:count]
    return unit_rows([centres[n % count] + 0.02 * draw.standard_normal(width) for n in range(count * size)])


def test_each_group_is_represented_by_its_middle() -> None:
    """Five groups that lie apart give one row each, the member nearest to its group's mean (§3.3)."""
    vectors = groups(5, 40)
    found = representatives(vectors, clusters=5, each=5, seed=3)
    assert sorted(one.row % 5 for one in found) == [0, 1, 2, 3, 4]
    for one in found:
        members = vectors[one.row % 5 :: 5]
        distances = np.linalg.norm(members - members.mean(axis=0), axis=1)
        assert one.row // 5 == distances.argmin()
        assert one.distance == pytest.approx(distances.min(), abs=1e-5)


def test_the_same_seed_gives_the_same_rows() -> None:
    """Rows, clusters and distances are equal to the last bit, also where no clusters stand out."""
    vectors = unit_rows(list(np.random.default_rng(5).standard_normal((700, 24))))
    first = representatives(vectors, clusters=5, each=5, seed=1)
    assert first == representatives(vectors, clusters=5, each=5, seed=1)
    assert first != representatives(vectors, clusters=5, each=5, seed=2)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_a_type_with_few_entities_takes_them_all(count: int) -> None:
    """Up to as many entities as clusters, each is a cluster of its own."""
    found = representatives(groups(5, 1)[:count], clusters=5, each=5, seed=1)
    assert [(one.row, one.cluster, one.distance) for one in found] == [(n, n, 0.0) for n in range(count)]


@pytest.mark.parametrize(("clusters", "each"), [(2, 5), (5, 3), (3, 50)])
def test_more_or_fewer_exemplars_than_clusters(clusters: int, each: int) -> None:
    """Every cluster gives its nearest before any gives its second nearest, and none is given twice."""
    found = representatives(groups(clusters, 4), clusters=clusters, each=each, seed=1)
    assert len(found) == min(each, 4 * clusters) == len({one.row for one in found})
    assert len({one.cluster for one in found[:clusters]}) == min(clusters, each)


def test_equal_vectors_do_not_disturb() -> None:
    """A type whose entities all have one vector still gives different rows."""
    found = representatives(np.full((9, 4), 0.5, np.float32), clusters=5, each=5, seed=1)
    assert len({one.row for one in found}) == 5
