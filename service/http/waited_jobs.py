"""Jobs that a request waits for: their specification, their judge, and what is told where there is no room."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any

from medner.core.choices import JudgeFollow
from medner.core.errors import UserError
from medner.service.config.options import Overrides
from medner.service.config.registered_judges import with_registered_judge
from medner.service.http.context import Service
from medner.service.http.messages.problems import Problem
from medner.service.http.messages.requests import JobOptions
from medner.store.jobs import JobSpec

#: Results stay for a day, so that a link to a conflict opens.
KEEP_DAYS = 1.0
#: To make a specification reads and hashes the adapters, some 100 ms.
_REMEMBERED_S = 20.0
_MOST_REMEMBERED = 64


class SpecCache:
    """The specifications of the last requests, for a short time."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, JobSpec]] = OrderedDict()

    async def spec(self, service: Service, options: JobOptions, judge: dict[str, Any] | None) -> JobSpec:
        """The specification of a job."""
        key = f"{options.model_dump_json()} {judge!r}"
        held = self._known.get(key)
        if held is not None and held[0] > time.monotonic():
            return held[1]
        spec = await asyncio.to_thread(service.offer.spec, options, judge)
        self._known[key] = (time.monotonic() + _REMEMBERED_S, spec)
        self._known.move_to_end(key)
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return spec


#: Of all requests of the process.
SPECS = SpecCache()


async def registered_judge(service: Service, options: JobOptions) -> dict[str, Any] | None:
    """The table of a judge of the registry, looked up now; a followed one begins with that in place. None for others.

    Problem where there is no such judge.
    """
    named = Overrides(judge=options.judge or service.offer.base.judge)
    try:
        found = await with_registered_judge(
            named, service.jobs.judges, follow=options.judge_follow == JudgeFollow.LATEST
        )
    except UserError as error:
        raise Problem("unfitting", f"judge: {error}") from error
    return found.judge if isinstance(found.judge, dict) else None


def give_up(reason: str) -> None:
    """A command waits until there is room; a request is told."""
    raise Problem("unavailable", f"{reason}: delete finished jobs, or give it more; no job was made")
