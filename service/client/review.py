"""Requests of reviewers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus

from medner.service.client.calls import Answer, Call, Message, Steps, ask, path_of, read_json, read_nothing
from medner.service.client.trace_messages import ConflictMessage, VerdictMessage

#: Another judge's model may have to be loaded first.
_ASKED_S = 660.0


class DoubtMessage(Message):
    """How much doubt there is, and its shares."""

    total: float
    settled: float
    left: float


class DecisionsForMessage(Message):
    """How many more decisions settle a share of the doubt."""

    share: float
    decisions: int


class ProgressMessage(Message):
    """Where the review of a job is."""

    conflicts: int
    decided: int
    skipped: int
    claimed: int
    left: int
    doubt: DoubtMessage
    decisions_for: tuple[DecisionsForMessage, ...] = ()
    per_minute: float = 0.0


class ClaimMessage(Message):
    """A conflict that is the caller's for some minutes."""

    claim: str
    expires: datetime
    run: str
    sentence: str
    text: str
    offset: int = 0
    labels: str = ""
    conflict: ConflictMessage
    worth: float
    before: int = 0
    left: int = 0


class KeptMessage(Message):
    """Until when a claim lasts now."""

    expires: datetime


class DecidedMessage(Message):
    """The conflict as it was decided."""

    conflict: ConflictMessage
    decided_at: datetime


class AskedMessage(Message):
    """What another judge says."""

    verdict: VerdictMessage


def progress(job: str) -> Steps[ProgressMessage]:
    """Where the review of a job is."""
    return (yield from ask(Call("GET", path_of("jobs", job, "review", "progress"), read_json(ProgressMessage))))


def claim(job: str, wanted: Mapping[str, object]) -> Steps[ClaimMessage | None]:
    """The conflict that is worth a look most; None when none is left. ``wanted``: kinds, label, skipped, by."""
    body = {name: value for name, value in wanted.items() if value is not None}
    return (yield from ask(Call("POST", path_of("jobs", job, "review", "claim"), _claimed, body=body)))


def keep(token: str) -> Steps[datetime]:
    """Holds a claim on; until when."""
    return (yield from ask(Call("POST", _claim(token, "keep"), read_json(KeptMessage)))).expires


def decide(token: str, keep: Sequence[int], add: Sequence[tuple[int, int, str]], why: str) -> Steps[DecidedMessage]:
    """Decides a conflict: the numbers of the candidates that stay, from 1, and what is added."""
    body: dict[str, object] = {"keep": list(keep), "why": why}
    if add:
        body["add"] = [{"start": start, "end": end, "label": label} for start, end, label in add]
    return (yield from ask(Call("POST", _claim(token, "decide"), read_json(DecidedMessage), body=body)))


def skip(token: str, why: str) -> Steps[None]:
    """Puts a conflict aside."""
    return (yield from ask(Call("POST", _claim(token, "skip"), read_nothing, body={"why": why})))


def release(token: str) -> Steps[None]:
    """Gives a conflict back."""
    return (yield from ask(Call("DELETE", _claim(token), read_nothing)))


def ask_judge(token: str, judge: str) -> Steps[VerdictMessage]:
    """What another judge says; nothing changes."""
    call = Call("POST", _claim(token, "ask"), read_json(AskedMessage), body={"judge": judge}, timeout_s=_ASKED_S)
    return (yield from ask(call)).verdict


def undo(job: str, by: str | None) -> Steps[ConflictMessage]:
    """Takes the caller's newest decision back."""
    return (
        yield from ask(Call("POST", path_of("jobs", job, "review", "undo"), read_json(ConflictMessage), body=_by(by)))
    )


def _claim(token: str, *verb: str) -> str:
    return path_of("review", "claims", token, *verb)


def _claimed(answer: Answer) -> ClaimMessage | None:
    return None if answer.status == HTTPStatus.NO_CONTENT else read_json(ClaimMessage)(answer)


def _by(name: str | None) -> dict[str, str]:
    return {} if name is None else {"by": name}
