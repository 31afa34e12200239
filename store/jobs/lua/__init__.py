"""The steps that must happen whole or not at all, as scripts that run inside Redis.

A chunk that was given out has an entry in the job's ``:open`` hash until it is done. ``s`` is its state: ``queued``,
its message ``m`` waits in stream ``q``; ``claimed``, worker ``w`` holds it under token ``t`` until ``l``, by its call
``c``; ``waiting``, not before ``d``. ``a`` counts the workers that were lost over it, ``b`` the attempts
at it that broke off. Times are milliseconds of Redis'
own clock. At most ``WINDOW`` chunks of a job are given out at a time, so that what Redis holds does not grow with it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from medner.store.jobs.lua import chunk_steps, index_steps, job_steps, submit_steps
from medner.store.jobs.lua.prelude import PARTS, WINDOW
from medner.store.redis.client import Client

__all__ = ["PARTS", "WINDOW", "Scripts"]

_SCRIPTS = {**submit_steps.SCRIPTS, **chunk_steps.SCRIPTS, **job_steps.SCRIPTS, **index_steps.SCRIPTS}


class Scripts:
    """The scripts, ready to be called on one server: ``await scripts("claim", key, ...)``."""

    def __init__(self, redis: Client) -> None:
        self._known = {name: redis.register_script(text) for name, text in _SCRIPTS.items()}

    def __call__(
        self, name: str, key: str, *arguments: Any, client: Any = None, also: str | None = None
    ) -> Awaitable[Any]:
        """The answer of a script on the job ``key``; with a pipeline as ``client`` it comes with the pipeline's.

        ``also`` is a second key, of those scripts that have one.
        """
        keys = [key] if also is None else [key, also]
        result: Awaitable[Any] = self._known[name](keys=keys, args=arguments, client=client)
        return result
