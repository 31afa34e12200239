"""One attempt at one sentence, whatever the agents do: raise, never return, or say what cannot be used."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from medner.core.errors import ExternalError, UserError
from medner.core.records import Annotation, Sentence

_LONGEST_MESSAGE = 500
#: Made up; asked where all of a pass failed, to tell sentences at fault from a model that is away.
_PROBE = Sentence("probe#0", "患者咳嗽3天。", 0, "probe")


class Annotator(Protocol):
    """Annotates sentences, many at a time."""

    async def annotate_sentence(self, sentence: Sentence) -> Annotation:
        """One sentence; UserError when it is set up wrongly."""
        ...


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt without a result. ``outside``: the reason may not be the sentence's own, as when a server is gone."""

    kind: str
    error: str
    outside: bool


class TimeLimit:
    """A limit for each of the attempts that one task makes, with one timer for all of them.

    Between :meth:`begin` and :meth:`end` the task is cancelled once its time is up. A timer an attempt
    (``asyncio.timeout``) would cost a quarter of what a job adds to a sentence.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(self._loop)
        self._timer: asyncio.TimerHandle | None = None
        self._until: float | None = None
        self._passed = False
        self._cancelling = 0

    def begin(self) -> None:
        """An attempt begins."""
        assert self._task is not None, "a limit is for a task"  # noqa: S101  narrows
        self._until = self._loop.time() + self.seconds
        self._cancelling = self._task.cancelling()
        if self._timer is None:
            self._timer = self._loop.call_at(self._until, self._look)

    def end(self) -> bool:
        """The attempt has ended; whether it was cancelled because its time was up, and for no other reason."""
        self._until = None
        if not self._passed or self._task is None:
            return False
        self._passed = False
        return self._task.uncancel() <= self._cancelling

    def close(self) -> None:
        """No attempt follows."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        until = now + self.seconds if self._until is None else self._until
        if until > now:
            self._timer = self._loop.call_at(until, self._look)
            return
        self._timer, self._passed = None, True
        if self._task is not None:
            self._task.cancel()


async def attempt(annotator: Annotator, sentence: Sentence, limit: TimeLimit) -> Annotation | Failed:
    """The annotation of a sentence that has a result, else why it has none."""
    limit.begin()
    try:
        annotation = await annotator.annotate_sentence(sentence)
    except asyncio.CancelledError:
        if not limit.end():
            raise
        return _timed_out(limit)
    except TimeoutError:
        return _timed_out(limit)
    except (ExternalError, UserError) as error:
        return Failed(type(error).__name__, _short(error, sentence), outside=True)
    except Exception as error:  # noqa: BLE001  whatever a sentence does to an agent must not end the others
        return Failed(type(error).__name__, _short(error, sentence), outside=False)
    finally:
        limit.end()
    return annotation if annotation.complete else _reason(annotation)


def _timed_out(limit: TimeLimit) -> Failed:
    return Failed("Timeout", f"no answer within {limit.seconds:g} s", outside=True)


async def answers(annotator: Annotator, timeout_s: float) -> bool:
    """Whether the agents answer at all, asked with a made-up sentence. UserError when they are set up wrongly."""
    limit = TimeLimit(timeout_s)
    try:
        found = await attempt(annotator, _PROBE, limit)
    finally:
        limit.close()
    if isinstance(found, Failed) and found.kind == UserError.__name__:
        raise UserError(found.error)
    return not isinstance(found, Failed)


def _reason(annotation: Annotation) -> Failed:
    said = [failure for failure in annotation.failures if failure.agent != "graph"]
    if not said:
        return Failed("Incomplete", "no tagger answered", outside=False)
    first = said[0]
    outside = all(failure.kind == ExternalError.__name__ for failure in said)
    return Failed(first.kind, f"{first.agent}: {first.message}"[:_LONGEST_MESSAGE], outside)


def _short(error: Exception, sentence: Sentence) -> str:
    """The error's message, without the sentence should it quote it."""
    return (str(error).replace(sentence.text, "…") or type(error).__name__)[:_LONGEST_MESSAGE]
