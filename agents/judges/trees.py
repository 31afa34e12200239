"""Boosted trees over named features: a sum of small decision trees, held as plain numbers.

They are read from JSON, so that nothing is unpickled, and need no library beside numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = Mapping[str, float]
_NO_FEATURE = -1


@dataclass(frozen=True, slots=True, eq=False)
class BoostedTrees:
    """Trees as columns over all their nodes.

    At a node, a row goes ``left`` where its ``feature`` is at most ``threshold``, else ``right``; a leaf is its own
    successor and has ``feature`` -1. ``roots`` are the trees' first nodes, ``value`` is what a leaf adds to the logit.
    A feature that a row lacks is 0.
    """

    names: tuple[str, ...]
    roots: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]
    depth: int

    def logits(self, rows: Sequence[Features]) -> list[float]:
        """The score of each row; over 0 is rather right than wrong."""
        x_NF = np.zeros((len(rows), len(self.names) + 1))
        place = {name: number for number, name in enumerate(self.names)}
        for number, row in enumerate(rows):
            for name, value in row.items():
                if (column := place.get(name)) is not None:
                    x_NF[number, column] = value
        node_NT = np.broadcast_to(self.roots, (len(rows), len(self.roots)))
        every_N1 = np.arange(len(rows))[:, None]
        for _ in range(self.depth):
            goes_left_NT = x_NF[every_N1, self.feature[node_NT]] <= self.threshold[node_NT]
            node_NT = np.where(goes_left_NT, self.left[node_NT], self.right[node_NT])
        found: list[float] = self.value[node_NT].sum(axis=1).tolist()
        return found

    def to_json(self) -> dict[str, Any]:
        """The trees as plain data."""
        columns = ("roots", "feature", "threshold", "left", "right", "value")
        return {
            "features": list(self.names),
            "depth": self.depth,
            **{name: getattr(self, name).tolist() for name in columns},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BoostedTrees:
        """The trees of plain data. ValueError, KeyError or TypeError where they are none."""
        found = cls(
            tuple(map(str, data["features"])),
            _numbers(data["roots"], np.int64),
            _numbers(data["feature"], np.int64),
            _numbers(data["threshold"], np.float64),
            _numbers(data["left"], np.int64),
            _numbers(data["right"], np.int64),
            _numbers(data["value"], np.float64),
            int(data["depth"]),
        )
        found._check()
        return found

    def _check(self) -> None:
        nodes = len(self.feature)
        columns = (self.threshold, self.left, self.right, self.value)
        if any(len(column) != nodes for column in columns):
            raise ValueError("its columns differ in length")
        for successors in (self.roots, self.left, self.right):
            if len(successors) and not (successors.min() >= 0 and successors.max() < nodes):
                raise ValueError("a branch leads to a node that is not there")
        if nodes and not (self.feature.min() >= _NO_FEATURE and self.feature.max() < len(self.names)):
            raise ValueError("a node asks for a feature that is not there")
        if not (np.isfinite(self.threshold).all() and np.isfinite(self.value).all() and 0 <= self.depth <= nodes):
            raise ValueError("its numbers are out of range")


def _numbers(values: Any, kind: type[Any]) -> NDArray[Any]:
    return np.asarray(values, dtype=kind)
