"""The judges of a run in their order: the first decides, each later one where those before it could not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from medner.agents.judges.judge import Case, Judge, fall_back
from medner.core.errors import ExternalError, MednerError, ModelOutputError, UserError
from medner.core.records import Attempt, Verdict

#: What keeps a judge from deciding one case. A prompt that is too long is this sentence's trouble, not the run's.
_CANNOT = (ExternalError, ModelOutputError, UserError)


@runtime_checkable
class JointJudge(Protocol):
    """A judge that can settle the conflicts of a sentence at once, and does where ``joint`` says so."""

    @property
    def joint(self) -> bool:
        """Whether it is to."""
        ...

    async def judge_jointly(self, cases: Sequence[Case]) -> list[Verdict]:
        """A verdict a case."""
        ...


@dataclass(frozen=True, slots=True)
class Settled:
    """A verdict; ``error`` is why no judge could decide, where the fallback rule did, and ``judge`` the last asked."""

    verdict: Verdict
    error: MednerError | None = None
    judge: str = ""


@dataclass(frozen=True, slots=True)
class JudgeChain:
    """Judges in their order. Where none can decide, the fallback rule does."""

    judges: tuple[Judge, ...]

    async def settle(self, cases: Sequence[Case]) -> list[Settled]:
        """A verdict on each conflict of a sentence; the judges that could not decide are named in it."""
        first = self.judges[0]
        if isinstance(first, JointJudge) and first.joint and len(cases) > 1:
            try:
                return [Settled(one) for one in await first.judge_jointly(cases)]
            except _CANNOT as error:
                failed = _attempt(first, error)
            rest = [self._one(case, self.judges[1:], (failed,)) for case in cases]
            return list(await asyncio.gather(*rest))
        return list(await asyncio.gather(*(self._one(case, self.judges, ()) for case in cases)))

    async def _one(self, case: Case, judges: Sequence[Judge], tried: tuple[Attempt, ...]) -> Settled:
        error: MednerError = ExternalError(tried[-1].reason if tried else "there is no judge")
        last, began = self.judges[0], time.perf_counter()
        for judge in judges:
            try:
                return Settled(replace(await judge.judge(case), tried=tried))
            except _CANNOT as caught:
                error, last = caught, judge
                tried = (*tried, _attempt(judge, caught))
        return Settled(self._by_rule(case, tried, time.perf_counter() - began), error, last.name)

    def _by_rule(self, case: Case, tried: tuple[Attempt, ...], seconds: float) -> Verdict:
        """The fallback rule, under the name of the judge that should have decided."""
        first = self.judges[0]
        prompt = first.prompt(case)
        return replace(
            fall_back(first, case, tried[0].reason),
            prompt=prompt,
            exemplars=case.exemplars if prompt else (),
            answer=tried[0].answer,
            seconds=seconds,
            tried=tried[1:],
        )


class JudgeSource(Protocol):
    """Says which judges settle the next sentence. They may be others for each."""

    def current(self) -> JudgeChain:
        """The judges as they are now; all conflicts of one sentence come before the same."""
        ...


def _attempt(judge: Judge, error: MednerError) -> Attempt:
    raw = error.raw if isinstance(error, ModelOutputError) else ""
    return Attempt(judge.name, judge.version, str(error), raw)
