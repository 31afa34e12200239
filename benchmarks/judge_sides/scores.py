"""Scores with intervals, and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medner.core.records import Document
from medner.evaluation.measures.matching import Pair
from medner.evaluation.measures.scoring import Score, score
from medner.evaluation.measures.significance import Resampling, differences, intervals, stack

HOW = Resampling(seed=0, resamples=2_000)


def scored(gold: Sequence[Document], made: Sequence[Document]) -> Score:
    """The strict micro score."""
    return score([Pair(one, other) for one, other in zip(gold, made, strict=True)])


def table(gold: Sequence[Document], systems: Mapping[str, Sequence[Document]], against: str) -> list[dict[str, Any]]:
    """Each system with its F1 and interval, and its paired difference from one of them."""
    counts = {name: stack(scored(gold, made).documents, ()) for name, made in systems.items()}
    rows = []
    for name, made in systems.items():
        found = scored(gold, made).overall
        spread = intervals(counts[name], HOW)[0].f1
        change = differences(counts[against], counts[name], HOW)[0].f1
        rows.append(
            {
                "system": name,
                "p": round(found.precision, 4),
                "r": round(found.recall, 4),
                "f1": round(found.f1, 4),
                "interval": [round(spread.low, 4), round(spread.high, 4)],
                f"minus {against}": round(change.delta, 4),
                "of it": [round(change.low, 4), round(change.high, 4)],
                "p_value": round(change.p_bootstrap, 4),
            }
        )
    return rows


def shown(rows: Sequence[Mapping[str, Any]], title: str) -> None:
    """A table for people."""
    print(f"\n{title}")
    for row in rows:
        low, high = row["interval"]
        delta = next(key for key in row if key.startswith("minus"))
        print(
            f"  {row['system']:<44} P {row['p']:.4f} R {row['r']:.4f} F1 {row['f1']:.4f} [{low:.4f}, {high:.4f}]  "
            f"{row[delta]:+.4f} [{row['of it'][0]:+.4f}, {row['of it'][1]:+.4f}] p {row['p_value']:.4f}"
        )
