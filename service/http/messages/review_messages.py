"""The review queue: what is asked, and what goes out."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from medner.core.records import ConflictKind
from medner.service.http.messages.annotated import FullConflictAnswer, VerdictAnswer
from medner.service.http.messages.requests import JUDGE
from medner.service.http.messages.strict import Strict


class DoubtAnswer(Strict):
    """How much doubt there is in all, and its shares. A conflict has 1 where nobody was sure, 0 where the judge was."""

    total: float
    settled: float
    left: float


class DecisionsFor(Strict):
    """How many more decisions settle a share of the doubt."""

    share: float
    decisions: int


class ProgressAnswer(Strict):
    """Where the review of a job is. ``left`` are the conflicts that are neither decided nor skipped."""

    conflicts: int
    decided: int
    skipped: int
    claimed: int
    left: int
    doubt: DoubtAnswer
    decisions_for: tuple[DecisionsFor, ...]
    per_minute: float


class ClaimBody(Strict):
    """Which conflicts the reviewer wants. ``skipped``: those that were put aside."""

    kinds: tuple[ConflictKind, ...] = ()
    label: str = Field(default="", max_length=100)
    skipped: bool = False
    by: str | None = Field(default=None, min_length=1, max_length=100)


class ClaimAnswer(Strict):
    """A conflict that is the caller's until ``expires``. ``worth`` is its doubt; ``left`` wait."""

    claim: str
    expires: datetime
    job: str
    run: str
    sentence: str
    document: str
    text: str
    offset: int
    labels: str
    conflict: FullConflictAnswer
    worth: float
    before: int
    left: int


class KeptAnswer(Strict):
    """Until when a claim lasts now."""

    expires: datetime


class DecidedAnswer(Strict):
    """The conflict as it was decided, and when."""

    conflict: FullConflictAnswer
    decided_at: datetime


class SkipBody(Strict):
    """Why a conflict is put aside."""

    why: str = Field(default="", max_length=2_000)


class AskBody(Strict):
    """The judge that is asked."""

    judge: str = Field(pattern=JUDGE)


class AskedAnswer(Strict):
    """What another judge says; nothing is changed by it."""

    verdict: VerdictAnswer


class UndoBody(Strict):
    """Whose newest decision is taken back, where there are no keys."""

    by: str | None = Field(default=None, min_length=1, max_length=100)
