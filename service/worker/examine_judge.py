"""A short examination that a judge must pass before jobs follow it: can it be asked, and are its answers usable?"""

from __future__ import annotations

import asyncio
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from langsmith import tracing_context

from medner.agents.exemplars import ExemplarSource
from medner.agents.judges.judge import Case, Judge
from medner.core.errors import MednerError, ModelOutputError
from medner.core.labels import LabelSet, load_label_set
from medner.core.records import Candidate, Entity, Sentence, Verdict
from medner.graph.conflicts import detect_conflicts


@dataclass(frozen=True, slots=True)
class SmokeCase:
    """A made-up conflict and what is right in it."""

    case: Case
    right: frozenset[Entity]


@dataclass(frozen=True, slots=True)
class SmokeResult:
    """What became of a case: the verdict, or why there is none; seconds; whether it says what is right."""

    case: Case
    verdict: Verdict | None
    problem: str
    seconds: float
    right: bool
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """All results. It is passed when every case has a verdict of the judge's own; being right is not asked for."""

    results: tuple[SmokeResult, ...]

    @property
    def passed(self) -> bool:
        """Whether the judge can be used."""
        return all(one.verdict is not None for one in self.results)

    @property
    def summary(self) -> str:
        """The examination in a line."""
        usable = sum(one.verdict is not None for one in self.results)
        right = sum(one.right for one in self.results)
        slowest = max((one.seconds for one in self.results), default=0.0)
        total = len(self.results)
        return f"{usable} of {total} answers usable, {right} of {total} right, the slowest took {slowest:.2f} s"


async def examine(judge: Judge, exemplars: ExemplarSource | None = None) -> Examination:
    """Asks the judge about every made-up case, all at once."""
    with tracing_context(enabled=False):
        return Examination(tuple(await asyncio.gather(*(_ask(judge, one, exemplars) for one in smoke_cases()))))


async def _ask(judge: Judge, smoke: SmokeCase, exemplars: ExemplarSource | None) -> SmokeResult:
    case, began = smoke.case, time.perf_counter()
    try:
        if exemplars is not None:
            codes = sorted({one.entity.label for one in case.conflict.candidates})
            shown = await exemplars.exemplars(case.sentence, case.conflict.region, codes)
            case = Case(case.sentence, case.conflict, case.labels, case.voters, shown)
        verdict = await judge.judge(case)
    except MednerError as error:
        raw = error.raw if isinstance(error, ModelOutputError) else ""
        return SmokeResult(case, None, str(error), time.perf_counter() - began, False, raw)
    right = frozenset((*verdict.kept, *verdict.added)) == smoke.right
    return SmokeResult(case, verdict, "", time.perf_counter() - began, right, verdict.answer)


def smoke_cases() -> Sequence[SmokeCase]:
    """The cases that ship; written by hand, about nobody."""
    source = resources.files("medner.service.worker") / "smoke_cases.toml"
    labels = load_label_set("cmeee-v2")
    return [
        _case(entry, number, labels)
        for number, entry in enumerate(tomllib.loads(source.read_text("utf-8"))["cases"], 1)
    ]


def _case(entry: Mapping[str, Any], number: int, labels: LabelSet) -> SmokeCase:
    text, said = entry["text"], entry["said"]
    sentence = Sentence(f"smoke#{number}", text, 0, "smoke")
    candidates, right = [], set()
    for part, code, taggers, truth in said:
        start = text.index(part)
        entity = Entity(start, start + len(part), code)
        # The taggers' names carry nothing: most judges are not told them.
        candidates.append(Candidate(entity, tuple(taggers), 0.5))
        if truth == "right":
            right.add(entity)
    voters = ("a", "b")
    (conflict,) = detect_conflicts(candidates, voters, labels.nesting).conflicts
    return SmokeCase(Case(sentence, conflict, labels, voters), frozenset(right))
