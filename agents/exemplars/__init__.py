"""Exemplars for the judge: fixed ones, K-Means ones of a corpus, and the nearest to a region (§3.3, step 3)."""

from medner.agents.exemplars.nearest import ClustersThenNearest, EntityIndex, NearestExemplars
from medner.agents.exemplars.source import ClusterExemplars, ExemplarSource, FixedExemplars

__all__ = [
    "ClusterExemplars",
    "ClustersThenNearest",
    "EntityIndex",
    "ExemplarSource",
    "FixedExemplars",
    "NearestExemplars",
]
