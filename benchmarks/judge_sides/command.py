"""Judges on conflicts of real taggers, one half of the texts to learn from, the other to be judged."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judge_sides.halves import Half, annotated, judged_half, learnt_half, taken, write_parts
from judge_sides.scores import HOW, shown, table
from judge_sides.systems import linear, model_verdicts, rule_systems
from medner.core.choices import DEFAULT_MODEL
from medner.core.labels import load_label_set
from medner.core.records import Document, Entity
from medner.evaluation.side_by_side import read_side_by_side
from medner.service.train.judge_data import side_by_side_cases

_VOTE, _LINEAR = "hard vote", "linear layer (votes, surface)"


def main() -> None:
    """Runs what the options ask for."""
    options = _options()
    labels = load_label_set("cmeee-v2")
    found = annotated(options, labels) if options.gold else read_side_by_side(options.predictions)
    places = learnt_half(found)
    if options.write_half or options.write_unseen:
        write_parts(options)
        return
    names = sorted(found.systems)
    learnt = list(side_by_side_cases(taken(found, places), labels))
    rest = [place for place in range(len(found.gold)) if place not in set(places)]
    half = judged_half(taken(found, rest), labels)
    systems = rule_systems(half, names)
    systems[_LINEAR] = linear(learnt, half, names)
    report: dict[str, Any] = {
        "learnt": len(places),
        "judged": len(rest),
        "seed": options.seed,
        "resamples": HOW.resamples,
    }
    report["all"] = table(half.gold, systems, _VOTE)
    shown(report["all"], f"{len(rest):,} sentences judged, {len(places):,} learnt from; differences from the hard vote")
    judges = [("select", model) for model in options.zero_shot]
    judges += [(f"trained:{folder}", options.base) for folder in options.trained]
    for judge, model in judges:
        name = f"{judge.partition(':')[0]} {Path(judge).parent.name if ':' in judge else model}"
        report[name] = _compared(half, systems, name, asyncio.run(model_verdicts(half, judge, options, model)))
    if options.json:
        options.json.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")


def _compared(
    half: Half, systems: Mapping[str, list[Document]], name: str, verdicts: Mapping[int, set[Entity]]
) -> list[dict[str, Any]]:
    """A judge beside all others, on the sentences that it settled."""
    done = sorted(verdicts)
    gold = [half.gold[place] for place in done]
    part = {other: [made[place] for place in done] for other, made in systems.items()}
    own = [Document(half.gold[p].id, half.gold[p].text, tuple(half.agreed[p] | verdicts[p])) for p in done]
    rows = table(gold, {**part, name: own}, _VOTE)
    shown(rows, f"{name}: {len(done):,} sentences, {sum(bool(half.cases[p]) for p in done):,} of them with conflicts")
    (row,) = table(gold, {_LINEAR: part[_LINEAR], name: own}, _LINEAR)[1:]
    shown([row], "the same against the linear layer")
    return rows


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("predictions", type=Path, nargs="?")
    parser.add_argument("--gold", type=Path, help="gold, where the file is what medner annotate wrote about it")
    parser.add_argument("--write-half", type=Path, help="write the lines to learn from, and stop")
    parser.add_argument(
        "--write-unseen", type=Path, help="write the texts that no model before may learn from, and stop"
    )
    parser.add_argument("--trained", action="append", default=[], help="a trained judge's folder; repeatable")
    parser.add_argument("--base", default=DEFAULT_MODEL, help="the base model of trained judges")
    parser.add_argument("--zero-shot", action="append", default=[], metavar="MODEL", help="an untuned select judge")
    parser.add_argument("--template", default="direct", help="the select judges' template")
    parser.add_argument("--joint", action="store_true", help="ask about a sentence's conflicts at once")
    parser.add_argument("--minutes", type=float, default=10, help="time for each judge with a model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the numbers as JSON")
    options = parser.parse_args()
    if options.predictions is None:
        print("skipped: needs a file of predictions, which holds research data and is no part of medner")
        sys.exit(0)
    return options
