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


async def attempt(annotator: Annotator, sentence: Sentence, timeout_s: float) -> Annotation | Failed:
    """The annotation of a sentence that has a result, else why it has none."""
    try:
        async with asyncio.timeout(timeout_s):
            annotation = await annotator.annotate_sentence(sentence)
    except TimeoutError:
        return Failed("Timeout", f"no answer within {timeout_s:g} s", outside=True)
    except (ExternalError, UserError) as error:
        return Failed(type(error).__name__, _short(error, sentence), outside=True)
    except Exception as error:  # noqa: BLE001  whatever a sentence does to an agent must not end the others
        return Failed(type(error).__name__, _short(error, sentence), outside=False)
    return annotation if annotation.complete else _reason(annotation)


async def answers(annotator: Annotator, timeout_s: float) -> bool:
    """Whether the agents answer at all, asked with a made-up sentence. UserError when they are set up wrongly."""
    found = await attempt(annotator, _PROBE, timeout_s)
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
