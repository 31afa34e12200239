"""The judges of a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medner._judges import Judge, JudgeInUse, JudgeTest
from medner.service.client import judges as requests
from medner.service.client.calls import Steps
from medner.service.client.connection import AsyncConnection, Connection

_Judges = list[Judge]
_History = list[JudgeInUse]


class AsyncServerJudges:
    """The judges of a server: ``server.judges``. The record of who did what has the key's name.

    A definition comes without what only the server's machine needs: folders, passwords of addresses.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, name: str, judge: str | Mapping[str, Any]) -> Judge:
        """Defines a judge, or defines it again: in words (``"hard-vote"``) or as a table. Nothing follows it yet."""
        return await self._connection.run(_add(name, judge))

    async def list(self) -> _Judges:
        """All judges, by name."""
        return await self._connection.run(_list())

    async def test(self, name: str) -> JudgeTest:
        """Asks a judge about a few made-up conflicts; the server loads its model or connects to it."""
        return await self._connection.run(_test(name))

    async def use(self, name: str, *, why: str = "", force: bool = False) -> JudgeInUse:
        """Puts a judge in place: jobs that follow are judged by it from each worker's next sentence on.

        RefusedError where it does not pass :meth:`test`, unless with ``force``.
        """
        return await self._connection.run(_use(name, why, force=force))

    async def back_to(self, version: int, *, why: str = "", force: bool = False) -> JudgeInUse:
        """Puts the judge of an earlier version in place again, as a new version."""
        return await self._connection.run(_back_to(version, why, force=force))

    async def current(self) -> JudgeInUse | None:
        """The judge in place; None where none ever was."""
        return await self._connection.run(_current())

    async def history(self) -> _History:
        """All versions, the newest first."""
        return await self._connection.run(_history())

    async def remove(self, name: str) -> None:
        """Forgets a judge's definition; versions made of it stay. RefusedError for the one in use."""
        await self._connection.run(requests.forget(name))

    async def workers(self) -> dict[str, int]:
        """The workers that follow, with the version that each judges with."""
        return await self._connection.run(_workers())


class ServerJudges:
    """The synchronous twin of :class:`AsyncServerJudges`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, name: str, judge: str | Mapping[str, Any]) -> Judge:
        """Defines a judge, or defines it again: in words (``"hard-vote"``) or as a table. Nothing follows it yet."""
        return self._connection.run(_add(name, judge))

    def list(self) -> _Judges:
        """All judges, by name."""
        return self._connection.run(_list())

    def test(self, name: str) -> JudgeTest:
        """Asks a judge about a few made-up conflicts; the server loads its model or connects to it."""
        return self._connection.run(_test(name))

    def use(self, name: str, *, why: str = "", force: bool = False) -> JudgeInUse:
        """Puts a judge in place: :meth:`AsyncServerJudges.use`."""
        return self._connection.run(_use(name, why, force=force))

    def back_to(self, version: int, *, why: str = "", force: bool = False) -> JudgeInUse:
        """Puts the judge of an earlier version in place again, as a new version."""
        return self._connection.run(_back_to(version, why, force=force))

    def current(self) -> JudgeInUse | None:
        """The judge in place; None where none ever was."""
        return self._connection.run(_current())

    def history(self) -> _History:
        """All versions, the newest first."""
        return self._connection.run(_history())

    def remove(self, name: str) -> None:
        """Forgets a judge's definition; versions made of it stay. RefusedError for the one in use."""
        self._connection.run(requests.forget(name))

    def workers(self) -> dict[str, int]:
        """The workers that follow, with the version that each judges with."""
        return self._connection.run(_workers())


def _add(name: str, judge: str | Mapping[str, Any]) -> Steps[Judge]:
    return _judge((yield from requests.define(name, judge)))


def _list() -> Steps[_Judges]:
    return [_judge(one) for one in (yield from requests.judges()).judges]


def _test(name: str) -> Steps[JudgeTest]:
    found = yield from requests.examine(name)
    return JudgeTest(found.passed, found.summary, tuple(one.problem for one in found.cases if one.problem))


def _use(name: str, why: str, *, force: bool) -> Steps[JudgeInUse]:
    return _in_use((yield from requests.use(name, why=why, force=force)))


def _back_to(version: int, why: str, *, force: bool) -> Steps[JudgeInUse]:
    return _in_use((yield from requests.back(version, why=why, force=force)))


def _current() -> Steps[JudgeInUse | None]:
    found = (yield from requests.judges()).in_place
    return None if found is None else _in_use(found)


def _history() -> Steps[_History]:
    return [_in_use(one) for one in (yield from requests.history())]


def _workers() -> Steps[dict[str, int]]:
    return {one.worker: one.version for one in (yield from requests.judges()).workers}


def _judge(one: requests.DefinitionMessage) -> Judge:
    return Judge(one.name, one.definition, one.revision, one.by, one.created)


def _in_use(one: requests.VersionMessage) -> JudgeInUse:
    # A version is told in words: its table may hold what only the server's machine needs.
    return JudgeInUse(one.version, one.name, {"in_words": one.words}, one.by, one.why, one.at, one.smoke)
