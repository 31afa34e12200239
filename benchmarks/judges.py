"""Judges on conflicts of real taggers, one half of the texts to learn from, the other to be judged.

    python benchmarks/judges.py predictions.jsonl                                   # rules, the linear layer
    python benchmarks/judges.py predictions.jsonl --write-half half.jsonl --write-unseen unseen.jsonl
    medner train span gold.json --exclude test.json --exclude unseen.jsonl -o runs/start     # a judge starts from it
    medner train judge --side-by-side half.jsonl --start runs/start/adapter -o runs/judge
    python benchmarks/judges.py predictions.jsonl --trained runs/judge/adapter --minutes 20
    python benchmarks/judges.py predictions.jsonl --zero-shot qwen2.5-coder-0.5b-instruct --minutes 20

    medner annotate test.json --format cmeee -o answers.jsonl
    python benchmarks/judges.py answers.jsonl --gold test.json --zero-shot qwen2.5-coder-0.5b-instruct

The file holds a line a sentence: text, gold, and each tagger's entities as [start, end_inclusive, type]. With --gold it
is what `medner annotate` wrote about the gold file with several taggers. --write-half writes what a judge may learn
from, --write-unseen the texts of the other half and those that `medner train judge` holds back: a model that the judge
starts from must not have learnt from either. Halves are by the text's hash. A judge with a
model settles as many sentences of the second half as its minutes allow, in an order drawn by the seed; it and every
other are then scored on these same sentences too, with paired intervals.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medner.agents.judges.judge import Case
from medner.agents.judges.votes import case_features
from medner.core.choices import DEFAULT_MODEL
from medner.core.labels import LabelSet, load_label_set
from medner.core.records import Document, Entity
from medner.evaluation.measures.matching import Pair
from medner.evaluation.measures.scoring import Score, score
from medner.evaluation.measures.significance import Resampling, differences, intervals, stack
from medner.evaluation.side_by_side import SideBySide, read_side_by_side
from medner.service.build.engines import local_engine, model_folder
from medner.service.build.judges import judging, needs_base_model
from medner.service.config.configuration import validated
from medner.service.config.judges import read_judge
from medner.service.config.taggers import WritingTaggerConfig
from medner.service.traces.differences import gold_of
from medner.service.train.judge_data import agreement_of, side_by_side_cases
from medner.store.corpora import read_documents
from medner.store.corpora.json_formats.jsonl import line_to_annotated
from medner.training.filters.calibration import f1
from medner.training.judges.examples import JudgedCase, is_held_back, part_of
from medner.training.judges.votes import fit_votes

HOW = Resampling(seed=0, resamples=2_000)


@dataclass(frozen=True)
class Half:
    """The second half: sentences with their gold, the taggers' answers, what is agreed, and the conflicts."""

    gold: list[Document]
    answers: list[dict[str, tuple[Entity, ...]]]
    agreed: list[frozenset[Entity]]
    cases: list[list[JudgedCase]]


def learnt_half(found: SideBySide) -> list[int]:
    """The places of the sentences to learn from."""
    return [place for place, document in enumerate(found.gold) if part_of(document.text, 2) == 0]


def taken(found: SideBySide, places: Sequence[int]) -> SideBySide:
    """Some sentences of the file."""
    systems = {name: tuple(documents[place] for place in places) for name, documents in found.systems.items()}
    return SideBySide(tuple(found.gold[place] for place in places), systems)


def judged_half(found: SideBySide, labels: LabelSet) -> Half:
    """The sentences with their conflicts."""
    answers = [
        {name: documents[place].entities for name, documents in found.systems.items()}
        for place in range(len(found.gold))
    ]
    agreed = [frozenset(one.entity for one in agreement_of(said, labels).agreed) for said in answers]
    cases = [list(side_by_side_cases(taken(found, [place]), labels)) for place in range(len(found.gold))]
    return Half(list(found.gold), answers, agreed, cases)


def results(half: Half, kept: Callable[[int, Case], set[Entity]]) -> list[Document]:
    """The documents under a judge that keeps what ``kept`` says of each conflict."""
    made = []
    for place, gold in enumerate(half.gold):
        chosen = set(half.agreed[place])
        for one in half.cases[place]:
            chosen |= kept(place, one.case)
        made.append(Document(gold.id, gold.text, tuple(chosen)))
    return made


def rule_systems(half: Half, names: Sequence[str]) -> dict[str, list[Document]]:
    """What needs no model: each tagger, the hard vote, the judge without an error."""
    systems = {
        name: [Document(g.id, g.text, said[name]) for g, said in zip(half.gold, half.answers, strict=True)]
        for name in names
    }

    def voted(_: int, case: Case) -> set[Entity]:
        return {c.entity for c in case.conflict.candidates if 2 * len(c.taggers) > len(case.voters)}

    right = {id(one.case): one.right for cases in half.cases for one in cases}
    systems["hard vote"] = results(half, voted)
    systems["oracle"] = results(half, lambda _, case: set(right[id(case)]))
    return systems


def linear(learnt: Sequence[JudgedCase], half: Half, names: Sequence[str]) -> list[Document]:
    """A logistic layer over votes and surface, its threshold that of the best F1 on folds it was not fitted to."""
    fitted = fit_votes(learnt, names)
    truth = np.array([right for one in learnt for right in one.truth])
    agreed, agreed_right, gold = (
        sum(getattr(one, key) for one in learnt) for key in ("agreed", "agreed_right", "gold")
    )

    def value(least: float) -> float:
        above = fitted.crossed >= least
        return f1(agreed_right + int((above & truth).sum()), agreed + int(above.sum()), gold)

    least = max((step / 20 for step in range(-40, 41)), key=value)

    def kept(_: int, case: Case) -> set[Entity]:
        rows = case_features(case, names)
        listed = zip(case.conflict.candidates, rows, strict=True)
        return {one.entity for one, row in listed if fitted.layer.logit(row) >= least}

    return results(half, kept)


async def model_verdicts(half: Half, judge: str, options: argparse.Namespace, model: str) -> dict[int, set[Entity]]:
    """By the place of a sentence, what a judge with a model keeps of its conflicts; as many as the minutes allow."""
    taggers = [WritingTaggerConfig(name=name, strategy="symbol") for name in half.answers[0]]
    table = {**read_judge(judge), **({"joint": True} if options.joint else {})}
    if judge.startswith("select") and options.template != "direct":
        table["template"] = options.template
    configuration = validated({"taggers": taggers, "judge": table, "model": model, "max_rows": 8}, where="benchmark")
    folder = model_folder(configuration) if needs_base_model(configuration) else None
    # Those without a conflict too: what the minutes allow must be a fair sample.
    order = list(range(len(half.gold)))
    random.Random(options.seed).shuffle(order)  # noqa: S311  reproducibility, not secrecy
    found: dict[int, set[Entity]] = {}
    async with judging(configuration, model=folder, engine_factory=local_engine) as ready:
        began = time.monotonic()
        for first in range(0, len(order), 16):
            if time.monotonic() - began > options.minutes * 60:
                break
            settled = await asyncio.gather(*(_settled(half, place, ready) for place in order[first : first + 16]))
            found |= dict(zip(order[first : first + 16], settled, strict=True))
        seconds = time.monotonic() - began
    number = sum(len(half.cases[place]) for place in found)
    print(
        f"{judge} on {model}: {len(found):,} sentences, {number:,} conflicts, "
        f"{seconds / max(1, number):.2f} s a conflict",
        file=sys.stderr,
    )
    return found


async def _settled(half: Half, place: int, ready: Any) -> set[Entity]:
    cases = []
    for one in half.cases[place]:
        case = one.case
        codes = [code for code in case.labels.codes if code in {c.entity.label for c in case.conflict.candidates}]
        shown = await ready.exemplars.exemplars(case.sentence, case.conflict.region, codes)
        cases.append(Case(case.sentence, case.conflict, case.labels, case.voters, shown))
    return {e for one in await ready.judge_chain.settle(cases) for e in (*one.verdict.kept, *one.verdict.added)}


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


def write_parts(options: argparse.Namespace) -> None:
    """The lines to learn from, and the texts that what a judge starts from must not have seen."""
    lines = [line for line in options.predictions.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    learnt = [line for line in lines if part_of(json.loads(line)["text"], 2) == 0]
    seen = {text for text in (json.loads(line)["text"] for line in learnt) if not is_held_back(text)}
    unseen = [text for text in (json.loads(line)["text"] for line in lines) if text not in seen]
    records = [
        json.dumps({"id": str(number), "text": text, "entities": []}, ensure_ascii=False)
        for number, text in enumerate(unseen, 1)
    ]
    for path, written in ((options.write_half, learnt), (options.write_unseen, records)):
        if path is not None:
            path.write_text("".join(f"{line}\n" for line in written), encoding="utf-8")
            print(f"{len(written):,} of {len(lines):,} texts written to {path}")


def main() -> None:
    """Runs what the options ask for."""
    options = _options()
    labels = load_label_set("cmeee-v2")
    found = _annotated(options, labels) if options.gold else read_side_by_side(options.predictions)
    places = learnt_half(found)
    if options.write_half or options.write_unseen:
        write_parts(options)
        return
    names = sorted(found.systems)
    learnt = list(side_by_side_cases(taken(found, places), labels))
    rest = [place for place in range(len(found.gold)) if place not in set(places)]
    half = judged_half(taken(found, rest), labels)
    systems = rule_systems(half, names)
    systems["linear layer (votes, surface)"] = linear(learnt, half, names)
    report: dict[str, Any] = {
        "learnt": len(places),
        "judged": len(rest),
        "seed": options.seed,
        "resamples": HOW.resamples,
    }
    report["all"] = table(half.gold, systems, "hard vote")
    shown(report["all"], f"{len(rest):,} sentences judged, {len(places):,} learnt from; differences from the hard vote")
    judges = [("select", model) for model in options.zero_shot] + [
        (f"trained:{folder}", options.base) for folder in options.trained
    ]
    for judge, model in judges:
        verdicts = asyncio.run(model_verdicts(half, judge, options, model))
        done = sorted(verdicts)
        part = {name: [made[place] for place in done] for name, made in systems.items()}
        own = [Document(half.gold[p].id, half.gold[p].text, tuple(half.agreed[p] | verdicts[p])) for p in done]
        name = f"{judge.partition(':')[0]} {Path(judge).parent.name if ':' in judge else model}"
        rows = table([half.gold[place] for place in done], {**part, name: own}, "hard vote")
        report[name] = rows
        shown(
            rows, f"{name}: {len(done):,} sentences, {sum(bool(half.cases[p]) for p in done):,} of them with conflicts"
        )
        other = "linear layer (votes, surface)"
        (row,) = table([half.gold[p] for p in done], {other: part[other], name: own}, other)[1:]
        shown([row], "the same against the linear layer")
    if options.json:
        options.json.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")


def _annotated(options: argparse.Namespace, labels: LabelSet) -> SideBySide:
    """What several taggers said about gold documents, sentence by sentence."""
    lines = options.predictions.read_text(encoding="utf-8").splitlines()
    found = [one for line in lines if line.strip() for one in line_to_annotated(line).annotations]
    gold = gold_of(found, list(read_documents(options.gold, labels=labels)))
    names = sorted({output.tagger for one in found for output in one.outputs})
    said = [{output.tagger: output.decoded.entities for output in one.outputs} for one in found]
    systems = {
        name: tuple(Document(g.id, g.text, each.get(name, ())) for g, each in zip(gold, said, strict=True))
        for name in names
    }
    return SideBySide(tuple(gold), systems)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
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


if __name__ == "__main__":
    main()
