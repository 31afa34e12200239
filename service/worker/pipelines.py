"""The agents of the jobs at hand: built once for jobs of the same configuration, one configuration at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from medner.core.errors import UserError
from medner.service.build.engines import model_folder
from medner.service.build.pipeline import assembled_parts
from medner.service.build.run_engines import needs_model
from medner.service.config.fingerprint import fingerprint
from medner.service.config.frozen import thaw
from medner.service.worker.attempts import Annotator
from medner.service.worker.job_agents import job_pipeline
from medner.store.jobs.records import JobSpec

#: How a job's agents are made. The one place where a worker meets models, judges and whatever records their traces.
OpenAnnotator = Callable[[JobSpec], AbstractAsyncContextManager[Annotator]]


@asynccontextmanager
async def open_pipeline(spec: JobSpec) -> AsyncIterator[Annotator]:
    """The pipeline of a job's frozen configuration. UserError where this machine cannot give the same answers."""
    configuration = thaw(spec.configuration)
    here = await asyncio.to_thread(fingerprint, configuration)
    if here != spec.fingerprint:
        raise UserError(
            "the label set, the adapters or medner's version here are others than those the job was submitted with"
        )
    model = model_folder(configuration) if needs_model(configuration) else None
    async with (
        assembled_parts(configuration, model=model) as made,
        job_pipeline(made, concurrency=configuration.concurrency) as pipeline,
    ):
        yield pipeline


class Pipelines:
    """Keeps the last used agents open: loading a model takes longer than most chunks.

    Jobs of another configuration wait until nobody uses them; who came first is served first.
    """

    def __init__(self, open_annotator: OpenAnnotator = open_pipeline) -> None:
        self._open = open_annotator
        self._fingerprint: str | None = None
        self._annotator: Annotator | None = None
        self._closing: AbstractAsyncContextManager[Annotator] | None = None
        self._users = 0
        self._queue: deque[object] = deque()
        self._dropping = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def using(self, spec: JobSpec) -> AsyncIterator[Annotator]:
        """The agents of a job. UserError or ExternalError when they cannot be built."""
        if self._queue or self._annotator is None or self._fingerprint != spec.fingerprint:
            annotator = await self._in_turn(spec)
        else:
            annotator = self._annotator
            self._users += 1
        try:
            yield annotator
        finally:
            self._users -= 1
            if self._queue or self._dropping:
                async with self._changed:
                    self._changed.notify_all()

    async def _in_turn(self, spec: JobSpec) -> Annotator:
        turn = object()
        async with self._changed:
            self._queue.append(turn)
            try:
                await self._changed.wait_for(lambda: self._queue[0] is turn and self._fits(spec))
                annotator = await self._switch(spec)
                self._users += 1
            finally:
                self._queue.remove(turn)
                self._changed.notify_all()
        return annotator

    async def drop(self) -> None:
        """Closes the agents as soon as nobody uses them; the next to come builds them anew."""
        self._dropping += 1
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: self._users == 0)
                await self._close()
        finally:
            self._dropping -= 1

    def _fits(self, spec: JobSpec) -> bool:
        return self._users == 0 or self._fingerprint == spec.fingerprint

    async def _switch(self, spec: JobSpec) -> Annotator:
        if self._annotator is not None and self._fingerprint == spec.fingerprint:
            return self._annotator
        await self._close()
        opened = self._open(spec)
        annotator = await opened.__aenter__()
        self._closing, self._annotator, self._fingerprint = opened, annotator, spec.fingerprint
        return annotator

    async def _close(self) -> None:
        closing, self._closing, self._annotator, self._fingerprint = self._closing, None, None, None
        if closing is not None:
            await closing.__aexit__(None, None, None)
