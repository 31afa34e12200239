"""Which judge decides in a worker whose jobs follow the registry: looked up anew all the time, swapped in between."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from pydantic import ValidationError
from redis.exceptions import RedisError

from medner.agents.judges.judge_chain import JudgeChain
from medner.core.errors import ExternalError, MednerError
from medner.core.validation import complaint
from medner.service.build.judges import JudgeParts, Naming, build_judge_chain
from medner.service.config.frozen import thaw_data
from medner.service.config.judges import JudgeConfig
from medner.store.judges import Held, JudgeRegistry, JudgeVersion

log = logging.getLogger("medner.judges")

#: How often the number in place is looked up. Messages only make it sooner.
LOOK_EVERY_S = 0.25
_TELL_EVERY_S = 2.0


class JudgeFollower:
    """The judges that the registry says. Until a version was ever put in place, ``own`` decides.

    A version that cannot be built here is told with its reason, and the one before goes on.
    """

    def __init__(self, registry: JudgeRegistry, worker: str, parts: JudgeParts, own: JudgeChain) -> None:
        self._registry = registry
        self._worker = worker
        self._parts = parts
        self._bench = own
        self._number = 0
        self._refused = 0
        self._problem = ""
        self._at_s = time.time()
        self._told_s = 0.0
        self._over = False
        self._looking = asyncio.Lock()

    @property
    def number(self) -> int:
        """The version in use; 0 is the job's own judge."""
        return self._number

    def current(self) -> JudgeChain:
        """The judges of the version in use."""
        return self._bench

    @asynccontextmanager
    async def following(self) -> AsyncIterator[JudgeFollower]:
        """Looks, builds, swaps and tells while the block lasts; then the registry is told that it is over."""
        task = asyncio.create_task(self._follow())
        try:
            yield self
        finally:
            self._over = True
            # The client may turn a cancellation into an error of its own, which is as good as lost.
            while not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=2 * LOOK_EVERY_S)
            with suppress(RedisError, OSError):
                await self._registry.let_go(self._worker)

    async def _follow(self) -> None:
        """Trouble with Redis changes nothing but the time."""
        while not self._over:
            with suppress(RedisError, OSError):
                await self._listen()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _listen(self) -> None:
        async with self._registry.news() as news:
            while not self._over:
                await self.look()
                # Whatever the message says, and whether or not one comes: the registry is asked.
                await news.get_message(timeout=LOOK_EVERY_S)

    async def look(self) -> None:
        """Takes the version in place if it is another one, and tells what is in use."""
        # Every chunk that begins looks as well; a version whose model takes long to load is built once.
        async with self._looking:
            number = await self._registry.current_number()
            changed = number not in (self._number, self._refused)
            if changed:
                await self._take(await self._registry.version(number))
            if changed or time.monotonic() - self._told_s > _TELL_EVERY_S:
                await self._tell()

    async def _take(self, version: JudgeVersion) -> None:
        try:
            judge_chain = await built(version, self._parts)
        except MednerError as error:
            self._refused, self._problem = version.number, f"version {version.number}: {error}"
            log.warning("a judge cannot be built here", extra={"version": version.number, "reason": str(error)})
            return
        # One assignment: a sentence asks once, so all of its conflicts come before the same judges.
        self._bench, self._number, self._problem, self._at_s = judge_chain, version.number, "", time.time()
        log.info("judge", extra={"version": version.number, "judge": version.name})

    async def _tell(self) -> None:
        held = Held(
            worker=self._worker, number=self._number, at_s=self._at_s, seen_s=time.time(), problem=self._problem
        )
        await self._registry.hold(held)
        self._told_s = time.monotonic()


async def built(version: JudgeVersion, parts: JudgeParts) -> JudgeChain:
    """The judges of a version, under its name and number. UserError or ExternalError when it cannot be made here."""
    judge = judge_of(version.judge)
    await parts.load_adapters(judge)
    judge_chain = build_judge_chain(judge, parts, Naming(version.name, str(version.number)))
    await parts.connections.open()
    return judge_chain


def judge_of(data: dict[str, Any]) -> JudgeConfig:
    """A judge's configuration out of the registry; ExternalError when this version of medner cannot read it."""
    try:
        return JudgeConfig.model_validate(thaw_data(data))
    except ValidationError as error:
        reason, key = complaint(error)
        raise ExternalError(f"a judge that this version of medner cannot read: {key}: {reason}") from error
