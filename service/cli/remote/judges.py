"""The judges of a medner server in the form that commands know them from Redis."""

from __future__ import annotations

from typing import Any

from medner.core.errors import RefusedError, UserError
from medner.service.client import judges as requests
from medner.service.client.connection import AsyncConnection
from medner.store.judges import Held, JudgeDefinition, JudgeVersion


class RemoteJudges:
    """The judges of a server, with the methods of the registry that commands use.

    ``words`` say what each definition is, by the judge's name, once it was read.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.words: dict[str, str] = {}

    async def define(self, name: str, table: dict[str, Any]) -> JudgeDefinition:
        """Defines a judge, or defines it again."""
        return self._definition(await self.connection.run(requests.define(name, table)))

    async def definitions(self) -> list[JudgeDefinition]:
        """All judges, by name."""
        return [self._definition(one) for one in (await self.connection.run(requests.judges())).judges]

    async def definition(self, name: str) -> JudgeDefinition:
        """A judge by name. UserError when there is none."""
        known = await self.definitions()
        found = next((one for one in known if one.name == name), None)
        if found is None:
            names = ", ".join(one.name for one in known) or "none yet: medner judges add NAME"
            raise UserError(f"there is no judge {name!r}; there are {names}")
        return found

    async def remove(self, name: str) -> None:
        """Forgets a judge's definition. UserError for the one in use."""
        await self.connection.run(requests.forget(name))

    async def current(self) -> JudgeVersion | None:
        """The version in place."""
        found = (await self.connection.run(requests.judges())).in_place
        return None if found is None else _version(found)

    async def history(self) -> list[JudgeVersion]:
        """All versions, the newest first."""
        return [_version(one) for one in await self.connection.run(requests.history())]

    async def held(self) -> list[Held]:
        """What each worker that follows told lately."""
        found = (await self.connection.run(requests.judges())).workers
        return [Held(worker=one.worker, number=one.version, at_s=0, seen_s=0, problem=one.problem) for one in found]

    async def examine(self, name: str) -> dict[str, Any]:
        """What a judge answered in its test."""
        return (await self.connection.run(requests.examine(name))).model_dump()

    async def put_in_place(self, name: str | None, back_to: int | None, *, why: str, force: bool) -> JudgeVersion:
        """Puts a judge in place, or that of an earlier version again. UserError where it does not pass its test."""
        if back_to is not None:
            steps = requests.back(back_to, why=why, force=force)
        else:
            steps = requests.use(name or "", why=why, force=force)
        return _version(await self.connection.run(steps))

    def _definition(self, one: requests.DefinitionMessage) -> JudgeDefinition:
        self.words[one.name] = one.words
        return JudgeDefinition(
            name=one.name, revision=one.revision, judge=one.definition, by=one.by, created=one.created
        )


def failed_test(error: RefusedError) -> dict[str, Any] | None:
    """What a judge answered in the test that it did not pass; None for another error."""
    test = error.members.get("test")
    return test if error.kind == "judge-test-failed" and isinstance(test, dict) else None


def told(record: JudgeDefinition | JudgeVersion | Held) -> dict[str, Any]:
    """A record as plain data: the keys that the server tells, as those of Redis have them."""
    unknown = (
        {"at_s", "seen_s"} if isinstance(record, Held) else {"judge"} if isinstance(record, JudgeVersion) else set()
    )
    return record.model_dump(mode="json", exclude=unknown)


#: What only Redis has, by the kind of record.
_UNTOLD: dict[type, set[str]] = {Held: {"at_s", "seen_s"}, JudgeVersion: {"judge"}}


def _version(one: requests.VersionMessage) -> JudgeVersion:
    return JudgeVersion(
        number=one.version,
        name=one.name,
        revision=one.revision,
        judge={},
        at=one.at,
        by=one.by,
        why=one.why,
        forced=one.forced,
        back_to=one.back_to,
        smoke=one.smoke,
    )
