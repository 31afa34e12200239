"""Fits boosted trees over named features, by LightGBM. Deterministic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medner.agents.judges.trees import BoostedTrees
from medner.core.errors import UserError
from medner.training.judges.examples import part_of

Floats = NDArray[np.float64]
Rows = Sequence[Mapping[str, float]]
_FOLDS = 5
_ROUNDS = 200
#: Rows that a leaf needs at least, where there are thousands; fewer of few.
_LEAF = 40
_SETTINGS = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "lambda_l2": 5.0,
    # A feature that a row lacks is 0, as where the trees are read.
    "use_missing": False,
    "seed": 7,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True)
class Boosted:
    """The trees, and each row's score by trees that were fitted without its text."""

    trees: BoostedTrees
    crossed: Floats


def cross_boosted(rows: Rows, truth: Floats, texts: Sequence[str]) -> Boosted:
    """Trees that tell right from wrong; ``texts`` says whose each row is. UserError without LightGBM."""
    names = tuple(sorted({name for row in rows for name in row}))
    place = {name: number for number, name in enumerate(names)}
    x_NF = np.zeros((len(rows), len(names)))
    for number, row in enumerate(rows):
        for name, value in row.items():
            x_NF[number, place[name]] = value
    fold = np.array([part_of(text, _FOLDS) for text in texts])
    crossed = np.zeros(len(rows))
    for number in range(_FOLDS):
        inside = fold == number
        if inside.any() and not inside.all():
            crossed[inside] = _fitted(x_NF[~inside], truth[~inside]).predict(x_NF[inside], raw_score=True)
    return Boosted(trees_of(_fitted(x_NF, truth).dump_model(), names), crossed)


def _fitted(x_NF: Floats, truth: Floats) -> Any:
    try:
        import lightgbm  # noqa: PLC0415  heavy, and only training needs it
    except ImportError as error:
        raise UserError("lightgbm is missing: this training needs pip install 'medner[train]'") from error
    leaf = min(_LEAF, max(2, len(truth) // 100))
    return lightgbm.train({**_SETTINGS, "min_data_in_leaf": leaf}, lightgbm.Dataset(x_NF, truth), _ROUNDS)


def trees_of(model: Mapping[str, Any], names: tuple[str, ...]) -> BoostedTrees:
    """The trees of a model as LightGBM tells of it (``Booster.dump_model``)."""
    nodes: list[tuple[int, float, int, int, float]] = []
    depth = 0

    def add(node: Mapping[str, Any], level: int) -> int:
        nonlocal depth
        place = len(nodes)
        if "leaf_value" in node:
            nodes.append((-1, 0.0, place, place, float(node["leaf_value"])))
            depth = max(depth, level)
            return place
        if node["decision_type"] != "<=":
            raise ValueError(f"a split by {node['decision_type']}")
        nodes.append((0, 0.0, 0, 0, 0.0))
        left, right = add(node["left_child"], level + 1), add(node["right_child"], level + 1)
        nodes[place] = (int(node["split_feature"]), float(node["threshold"]), left, right, 0.0)
        return place

    roots = [add(tree["tree_structure"], 0) for tree in model["tree_info"]]
    feature, threshold, left, right, value = zip(*nodes, strict=True)
    return BoostedTrees.from_json(
        {
            "features": names,
            "depth": depth,
            "roots": roots,
            "feature": feature,
            "threshold": threshold,
            "left": left,
            "right": right,
            "value": value,
        }
    )
