"""Judges by name, and the one that decides in jobs that follow it: asynchronous and synchronous."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from medner._twins import RedisUser, SynchronousTwin
from medner.core.errors import UserError

if TYPE_CHECKING:
    from medner.agents.engines.engine import Engine
    from medner.service.build.engines import EngineFactory
    from medner.service.worker.examine_judge import Examination
    from medner.store.judges import JudgeDefinition, JudgeRegistry, JudgeVersion


@dataclass(frozen=True, slots=True)
class Judge:
    """A judge by name, as it was defined. ``revision`` grows each time the name is defined again."""

    name: str
    judge: Mapping[str, Any]
    revision: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class JudgeInUse:
    """The judge that jobs follow from a moment on. ``version`` only grows; ``test`` says how its test went."""

    version: int
    name: str
    judge: Mapping[str, Any]
    by: str
    why: str
    at: datetime
    test: str


@dataclass(frozen=True, slots=True)
class JudgeTest:
    """How a judge did on made-up conflicts. ``passed``: every answer can be used; being right is not asked for."""

    passed: bool
    summary: str
    problems: tuple[str, ...] = ()


_Judges = list[Judge]
_History = list[JudgeInUse]


class AsyncJudges(RedisUser["JudgeRegistry"]):
    """The judges of a Redis: use it with ``async with``.

    ``redis`` None: ``MEDNER_REDIS_URL``, else the embedded one. ``engine`` runs the base model where a test needs it.
    """

    def __init__(self, redis: str | None = None, *, engine: Engine | None = None) -> None:
        super().__init__(redis)
        self._engine = engine

    def _books_on(self, client: Any) -> JudgeRegistry:
        from medner.store.judges import JudgeRegistry

        return JudgeRegistry(client)

    async def add(self, name: str, judge: str | Mapping[str, Any], *, by: str = "") -> Judge:
        """Defines a judge, or defines it again: in words (``"hard-vote"``) or as a table. Nothing follows it yet."""
        from pydantic import ValidationError

        from medner.core.validation import complaint
        from medner.service.config.frozen import freeze_data
        from medner.service.config.judges import JudgeConfig, read_judge
        from medner.store.judges import JudgeDefinition

        table = read_judge(judge) if isinstance(judge, str) else dict(judge)
        try:
            checked = JudgeConfig.model_validate(table).model_dump(mode="json", exclude_unset=True)
            definition = JudgeDefinition(name=name, judge=freeze_data(checked), by=by or getpass.getuser())
        except ValidationError as error:
            reason, key = complaint(error)
            raise UserError(f"judge {name!r}: {key + ': ' if key else ''}{reason}") from error
        return _judge(await self._books.add(definition))

    async def list(self) -> _Judges:
        """All judges, by name."""
        return [_judge(one) for one in await self._books.definitions()]

    async def test(self, name: str) -> JudgeTest:
        """Asks a judge about a few made-up conflicts; its model is loaded or connected to here."""
        from medner.service.worker.use_judge import examined

        definition = await self._books.definition(name)
        return _test(await examined(definition.judge, self._engine_factory))

    async def use(self, name: str, *, why: str = "", by: str = "", force: bool = False) -> JudgeInUse:
        """Puts a judge in place: jobs that follow are judged by it from each worker's next sentence on.

        UserError where it does not pass :meth:`test`, unless with ``force``.
        """
        return await self._use(name, None, why, by, force=force)

    async def back_to(self, version: int, *, why: str = "", by: str = "", force: bool = False) -> JudgeInUse:
        """Puts the judge of an earlier version in place again, as a new version."""
        return await self._use(None, version, why, by, force=force)

    async def current(self) -> JudgeInUse | None:
        """The judge in place; None where none ever was."""
        version = await self._books.current()
        return None if version is None else _in_use(version)

    async def history(self) -> _History:
        """All versions, the newest first."""
        return [_in_use(one) for one in await self._books.history()]

    async def remove(self, name: str) -> None:
        """Forgets a judge's definition; versions made of it stay. UserError for the one in use."""
        await self._books.remove(name)

    async def _use(self, name: str | None, back_to: int | None, why: str, by: str, *, force: bool) -> JudgeInUse:
        from medner.service.worker.use_judge import JudgeTestError, next_version, put_in_place

        version = await next_version(self._books, name, back_to)
        try:
            seated = await put_in_place(
                self._books, version, by=by, why=why, force=force, engine_factory=self._engine_factory
            )
        except JudgeTestError as error:
            raise UserError(f"{error}; mend it, or use force=True") from error
        return _in_use(seated)

    @property
    def _engine_factory(self) -> EngineFactory | None:
        engine = self._engine
        return None if engine is None else lambda _: engine


class Judges(SynchronousTwin[AsyncJudges]):
    """The synchronous twin of :class:`AsyncJudges`: use it with ``with``, or close it."""

    def __init__(self, redis: str | None = None, *, engine: Engine | None = None) -> None:
        super().__init__(AsyncJudges(redis, engine=engine), "medner-judges")

    def add(self, name: str, judge: str | Mapping[str, Any], *, by: str = "") -> Judge:
        """Defines a judge, or defines it again: in words (``"hard-vote"``) or as a table. Nothing follows it yet."""
        return self._loop.run(self._async.add(name, judge, by=by))

    def list(self) -> _Judges:
        """All judges, by name."""
        return self._loop.run(self._async.list())

    def test(self, name: str) -> JudgeTest:
        """Asks a judge about a few made-up conflicts; its model is loaded or connected to here."""
        return self._loop.run(self._async.test(name))

    def use(self, name: str, *, why: str = "", by: str = "", force: bool = False) -> JudgeInUse:
        """Puts a judge in place: :meth:`AsyncJudges.use`."""
        return self._loop.run(self._async.use(name, why=why, by=by, force=force))

    def back_to(self, version: int, *, why: str = "", by: str = "", force: bool = False) -> JudgeInUse:
        """Puts the judge of an earlier version in place again, as a new version."""
        return self._loop.run(self._async.back_to(version, why=why, by=by, force=force))

    def current(self) -> JudgeInUse | None:
        """The judge in place; None where none ever was."""
        return self._loop.run(self._async.current())

    def history(self) -> _History:
        """All versions, the newest first."""
        return self._loop.run(self._async.history())

    def remove(self, name: str) -> None:
        """Forgets a judge's definition; versions made of it stay. UserError for the one in use."""
        self._loop.run(self._async.remove(name))


def _judge(definition: JudgeDefinition) -> Judge:
    return Judge(definition.name, definition.judge, definition.revision, definition.by, definition.created)


def _in_use(version: JudgeVersion) -> JudgeInUse:
    return JudgeInUse(version.number, version.name, version.judge, version.by, version.why, version.at, version.smoke)


def _test(examination: Examination) -> JudgeTest:
    problems = tuple(one.problem for one in examination.results if one.problem)
    return JudgeTest(examination.passed, examination.summary, problems)
