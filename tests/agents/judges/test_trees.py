"""Boosted trees, read from plain numbers."""

import json

import pytest

from medner.agents.judges.trees import BoostedTrees

#: Two trees: a <= 1 gives -1, else b <= 2 gives .5, else 2; and a leaf of .25 for all.
PLAIN = {
    "features": ["a", "b"],
    "depth": 2,
    "roots": [0, 5],
    "feature": [0, -1, 1, -1, -1, -1],
    "threshold": [1.0, 0.0, 2.0, 0.0, 0.0, 0.0],
    "left": [1, 1, 3, 3, 4, 5],
    "right": [2, 1, 4, 3, 4, 5],
    "value": [0.0, -1.0, 0.0, 0.5, 2.0, 0.25],
}


def test_a_row_goes_to_one_leaf_of_each_tree() -> None:
    """At most the threshold goes left; what a row lacks is 0; what no tree knows counts nothing."""
    trees = BoostedTrees.from_json(PLAIN)
    rows = [{"a": 1.0}, {"a": 1.1, "b": 2.0}, {"a": 3.0, "b": 9.0}, {}, {"c": 5.0, "a": 2.0}]
    assert trees.logits(rows) == [-0.75, 0.75, 2.25, -0.75, 0.75]
    assert trees.logits([]) == []


def test_json_gives_them_back() -> None:
    """Through text and back, the same scores."""
    again = BoostedTrees.from_json(json.loads(json.dumps(BoostedTrees.from_json(PLAIN).to_json())))
    assert again.to_json() == PLAIN


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"left": [1, 1, 3, 3, 4]}, "differ in length"),
        ({"roots": [6]}, "a node that is not there"),
        ({"right": [2, 1, -4, 3, 4, 5]}, "a node that is not there"),
        ({"feature": [7, -1, 1, -1, -1, -1]}, "a feature that is not there"),
        ({"value": [0.0, float("nan"), 0.0, 0.5, 2.0, 0.25]}, "out of range"),
        ({"depth": 1_000_000_000}, "out of range"),
    ],
)
def test_numbers_that_are_no_trees_are_refused(change: dict[str, object], reason: str) -> None:
    """A file that somebody else wrote cannot make it read beside its columns, or run for ever."""
    with pytest.raises(ValueError, match=reason):
        BoostedTrees.from_json({**PLAIN, **change})
