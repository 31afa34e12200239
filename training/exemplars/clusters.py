"""K-Means over the entities of one type, and the entities nearest to the centres."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

_ITERATIONS = 25
#: K-Means is begun anew so often, and the best outcome taken: one start may end in a poor one.
_STARTS = 5


@dataclass(frozen=True, slots=True)
class Representative:
    """A typical entity: its row, its cluster, and its Euclidean distance from the cluster's centre."""

    row: int
    cluster: int
    distance: float


def representatives(
    vectors_NW: NDArray[np.float32], *, clusters: int, each: int, seed: int
) -> tuple[Representative, ...]:
    """At most ``each`` rows: the one nearest to each centre, then the second nearest to each, and so on.

    Larger clusters come first. Not more rows than clusters: every row is a cluster of its own, in their order. The
    same vectors and seed give the same rows.
    """
    if len(vectors_NW) <= clusters:
        return tuple(Representative(row, row, 0.0) for row in range(min(len(vectors_NW), each)))
    centres_KW = _centres(vectors_NW, clusters, seed)
    # In float64 and in one product a row: no thread or block size can change which of two rows is nearer.
    distances_NK = np.stack([np.linalg.norm(vectors_NW.astype(np.float64) - one, axis=1) for one in centres_KW], axis=1)
    cluster_of = distances_NK.argmin(axis=1)
    members = [np.flatnonzero(cluster_of == cluster) for cluster in range(clusters)]
    order = sorted(range(clusters), key=lambda cluster: (-len(members[cluster]), cluster))
    ranked = [
        [
            Representative(int(row), place, float(distances_NK[row, cluster]))
            for row in sorted(members[cluster], key=lambda row: (distances_NK[row, cluster], row))
        ]
        for place, cluster in enumerate(order)
    ]
    rounds = range(max(map(len, ranked)))
    return tuple(rank[turn] for turn in rounds for rank in ranked if turn < len(rank))[:each]


def _centres(vectors_NW: NDArray[np.float32], clusters: int, seed: int) -> NDArray[np.float64]:
    count, width = vectors_NW.shape
    kmeans = faiss.Kmeans(
        width,
        clusters,
        niter=_ITERATIONS,
        nredo=_STARTS,
        seed=seed,
        # All points count, few or many, and nothing is said about it.
        min_points_per_centroid=1,
        max_points_per_centroid=count,
    )
    with _one_thread():
        kmeans.train(np.ascontiguousarray(vectors_NW, dtype=np.float32))
    return np.asarray(kmeans.centroids, dtype=np.float64)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Several threads add numbers up in an order of their own, and so give other last bits."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
