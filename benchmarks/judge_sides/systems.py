"""What is compared: each tagger, rules, a linear layer, judges with a model."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from judge_sides.halves import Half
from medner.agents.judges.judge import Case
from medner.agents.judges.votes import case_features
from medner.core.records import Document, Entity
from medner.service.build.engines import local_engine, model_folder
from medner.service.build.judges import judging, needs_base_model
from medner.service.config.configuration import validated
from medner.service.config.judges import read_judge
from medner.service.config.taggers import WritingTaggerConfig
from medner.training.filters.calibration import f1
from medner.training.judges.examples import JudgedCase
from medner.training.judges.votes import fit_votes


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
