"""Requests about traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from medner.core.errors import UserError
from medner.core.records import AnnotatedDocument
from medner.service.client.calls import (
    Call,
    LineCall,
    Steps,
    ask,
    path_of,
    read_data,
    read_json,
)
from medner.service.client.lines import read_annotated
from medner.service.client.trace_messages import (
    ConflictMessage,
    DifferenceMessage,
    ForkedMessage,
    PathMessage,
    RemovedMessage,
    RunMessage,
    RunsMessage,
    SentencesMessage,
    SummaryMessage,
)

LAST = "last"
_PAGE = 500
_NAMED = 5
#: The server reads all traces of a run for the answer.
_WHOLE_RUN_S = 600.0
#: A fork asks another judge about every conflict of a run; the server ends one after ten minutes.
_FORK_S = 660.0


def runs() -> Steps[list[RunMessage]]:
    """The runs, the oldest first."""
    found: list[RunMessage] = []
    cursor: str | None = None
    while True:
        query = {"limit": _PAGE, "cursor": cursor}
        page = yield from ask(Call("GET", path_of("traces"), read_json(RunsMessage), query))
        found += page.runs
        cursor = page.next
        if cursor is None:
            return found[::-1]


def run_named(name: str) -> Steps[RunMessage]:
    """The run of a name, of the beginning of one name alone, or the ``last`` one that is no fork. UserError else."""
    known = yield from runs()
    if not known:
        raise UserError("the server has no traces yet; jobs with trace conflicts or all record them")
    if name == LAST:
        return next((one for one in reversed(known) if one.origin is None), known[-1])
    found = [one for one in known if one.run == name] or [one for one in known if one.run.startswith(name)]
    if len(found) > 1:
        raise UserError(f"{name!r} may be {', '.join(one.run for one in found[:_NAMED])}; write more of it")
    if not found:
        near = ", ".join(one.run for one in known[-3:])
        raise UserError(f"there is no run {name!r} on the server; there are {near}")
    return found[0]


def sentences(run: str, only: str | None = None) -> Steps[list[SummaryMessage]]:
    """The sentences of a run in the order they began."""
    found: list[SummaryMessage] = []
    cursor: str | None = None
    while True:
        query = {"limit": _PAGE, "cursor": cursor, "only": only}
        page = yield from ask(Call("GET", path_of("traces", run, "sentences"), read_json(SentencesMessage), query))
        found += page.sentences
        cursor = page.next
        if cursor is None:
            return found


def sentence_named(name: str) -> Steps[tuple[RunMessage, str]]:
    """The run and the id of RUN/SENTENCE; SENTENCE may be a number, which counts a list's lines from 1."""
    run_name, slash, sentence = name.partition("/")
    if not slash or not sentence:
        raise UserError(f"{name!r}: a trace is named RUN/SENTENCE, as the list of a run shows them; or RUN/1")
    run = yield from run_named(run_name)
    if sentence.isdecimal():
        known = yield from sentences(run.run)
        ids = [one.sentence for one in known]
        if sentence not in ids and 1 <= int(sentence) <= len(ids):
            sentence = ids[int(sentence) - 1]
    return run, sentence


def path(run: str, sentence: str) -> Steps[PathMessage]:
    """A sentence's whole path."""
    return (yield from ask(Call("GET", path_of("traces", run, "sentences", sentence), read_json(PathMessage))))


def fork(
    run: str,
    judge: str,
    *,
    sentences: Sequence[str] | None = None,
    sample: int | None = None,
    seed: int = 0,
    keep_days: int | None = None,
) -> Steps[ForkedMessage]:
    """Settles conflicts of a run again with another judge of the server, as a run of its own."""
    body: dict[str, object] = {"judge": judge, "seed": seed}
    more = {"sentences": None if sentences is None else list(sentences), "sample": sample, "keep_days": keep_days}
    body |= {name: value for name, value in more.items() if value is not None}
    call = Call("POST", path_of("traces", run, "fork"), read_json(ForkedMessage), body=body, timeout_s=_FORK_S)
    return (yield from ask(call))


def diff(a: str, b: str, *, show: int = 0, gold: Mapping[str, object] | None = None) -> Steps[DifferenceMessage]:
    """What differs between two runs; ``gold``: the body of right documents by which both are scored."""
    call = Call(
        "GET" if gold is None else "POST",
        path_of("traces", a, "diff", b),
        read_json(DifferenceMessage),
        {"show": show},
        body=gold,
        timeout_s=_WHOLE_RUN_S,
    )
    return (yield from ask(call))


def agreement(run: str, most: int) -> Steps[dict[str, Any]]:
    """How far the taggers agree in a run, as plain data."""
    call = Call("GET", path_of("traces", run, "agreement"), read_data, {"show": most}, timeout_s=_WHOLE_RUN_S)
    return (yield from ask(call))


def exported(run: str) -> LineCall[AnnotatedDocument]:
    """The sentences of a run, people's decisions included, each as a document of its own."""
    return LineCall(path_of("traces", run, "export"), read_annotated, "the traces")


def decisions(run: str) -> LineCall[str]:
    """The decisions of people as training data, a line of JSON each."""
    read = partial(str, encoding="utf-8")
    return LineCall(path_of("traces", run, "export"), read, "the decisions", {"decisions": True})


def overrule(
    run: str, sentence: str, conflict: str, *, keep: Sequence[int], why: str, by: str | None = None
) -> Steps[ConflictMessage]:
    """Puts a person's decision in a verdict's place. ``by`` is for servers without keys."""
    body = {"keep": list(keep), "why": why, **({} if by is None else {"by": by})}
    place = path_of("traces", run, "sentences", sentence, "conflicts", conflict, "overrule")
    return (yield from ask(Call("POST", place, read_json(ConflictMessage), body=body)))


def restore(run: str, sentence: str, conflict: str) -> Steps[ConflictMessage]:
    """Takes a person's decision back."""
    place = path_of("traces", run, "sentences", sentence, "conflicts", conflict, "overrule")
    return (yield from ask(Call("DELETE", place, read_json(ConflictMessage))))


def remove(run: str) -> Steps[RemovedMessage]:
    """Removes a run and its traces for good."""
    return (yield from ask(Call("DELETE", path_of("traces", run), read_json(RemovedMessage))))
