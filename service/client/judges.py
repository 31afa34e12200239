"""Requests about judges."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from medner.service.client.calls import Call, Message, Steps, ask, path_of, read_json, read_nothing

_PAGE = 500
#: A judge's model may have to be loaded first; the server ends what takes more than ten minutes.
_ASKED_S = 660.0


class DefinitionMessage(Message):
    """A judge by name. ``goes_out_to``: hosts to which it sends sentences."""

    name: str
    revision: int
    definition: dict[str, Any]
    words: str = ""
    goes_out_to: tuple[str, ...] = ()
    by: str = ""
    created: datetime


class VersionMessage(Message):
    """A judge that was put in place."""

    version: int
    name: str
    revision: int = 0
    words: str = ""
    at: datetime
    by: str = ""
    why: str = ""
    forced: bool = False
    back_to: int | None = None
    smoke: str = ""


class HolderMessage(Message):
    """A worker that follows, and the version it judges with."""

    worker: str
    version: int
    problem: str = ""


class JudgesMessage(Message):
    """The judges, the version in place, who holds which."""

    judges: tuple[DefinitionMessage, ...]
    in_place: VersionMessage | None = None
    workers: tuple[HolderMessage, ...] = ()


class HistoryMessage(Message):
    """A page of versions, the newest first."""

    versions: tuple[VersionMessage, ...]
    next: str | None = None


class CaseMessage(Message):
    """A made-up conflict of the test."""

    text: str
    usable: bool
    right: bool
    seconds: float
    problem: str = ""
    answer: str = ""


class ExaminationMessage(Message):
    """What a judge answered in its test."""

    passed: bool
    summary: str
    cases: tuple[CaseMessage, ...] = ()


def judges() -> Steps[JudgesMessage]:
    """The judges, the version in place, who holds which."""
    return (yield from ask(Call("GET", path_of("judges"), read_json(JudgesMessage))))


def define(name: str, judge: str | Mapping[str, Any]) -> Steps[DefinitionMessage]:
    """Defines a judge, in words or as a table."""
    body = {"judge": judge if isinstance(judge, str) else dict(judge)}
    return (yield from ask(Call("PUT", path_of("judges", name), read_json(DefinitionMessage), body=body)))


def examine(name: str) -> Steps[ExaminationMessage]:
    """Asks a judge about a few made-up conflicts."""
    call = Call("POST", path_of("judges", name, "test"), read_json(ExaminationMessage), timeout_s=_ASKED_S)
    return (yield from ask(call))


def use(name: str, *, why: str, force: bool) -> Steps[VersionMessage]:
    """Puts a judge in place."""
    body = {"why": why, "force": force}
    call = Call("POST", path_of("judges", name, "use"), read_json(VersionMessage), body=body, timeout_s=_ASKED_S)
    return (yield from ask(call))


def back(version: int, *, why: str, force: bool) -> Steps[VersionMessage]:
    """Puts the judge of an earlier version in place again."""
    body = {"version": version, "why": why, "force": force}
    call = Call("POST", path_of("judges", "back"), read_json(VersionMessage), body=body, timeout_s=_ASKED_S)
    return (yield from ask(call))


def history() -> Steps[list[VersionMessage]]:
    """All versions, the newest first."""
    found: list[VersionMessage] = []
    cursor: str | None = None
    while True:
        query = {"limit": _PAGE, "cursor": cursor}
        page = yield from ask(Call("GET", path_of("judges", "history"), read_json(HistoryMessage), query))
        found += page.versions
        cursor = page.next
        if cursor is None:
            return found


def forget(name: str) -> Steps[None]:
    """Forgets a judge's definition."""
    return (yield from ask(Call("DELETE", path_of("judges", name), read_nothing)))
