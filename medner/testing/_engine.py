"""An engine whose taggers find the words of a dictionary."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from medner._annotator import Annotator, AsyncAnnotator
from medner._load import load, load_async
from medner.agents.engines.engine import Request
from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.strategies import CODECS
from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.core.records import Entity

#: Taggers without adapters of their own, of two strategies, which the scripted engine can answer for.
TAGGERS = ("html:full", "json:plain")


class DictionaryEngine(ScriptedEngine):
    """Answers for taggers that find every word of a dictionary (``{"咳嗽": "sym"}``) wherever it stands.

    ``only`` names words that taggers of one strategy alone find, so that there is a conflict:
    ``only={"json": ["咳嗽"]}``. A judge that is asked takes the first candidate. ``requests`` holds what was asked.
    """

    def __init__(
        self,
        words: Mapping[str, str],
        *,
        labels: str | os.PathLike[str] = "cmeee-v2",
        only: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        super().__init__(self._answer_by_words)
        self._words = dict(words)
        self._labels = load_label_set(os.fspath(labels))
        self._only = {word: strategy for strategy, found in (only or {}).items() for word in found}
        unknown = sorted({label for label in self._words.values() if label not in self._labels})
        if unknown:
            raise UserError(f"label set {self._labels.name!r} has no type {', '.join(unknown)}")

    def _answer_by_words(self, request: Request) -> str:
        system, sentence = request.messages[0].content, request.messages[-1].content
        strategy = next((name for name, codec in CODECS.items() if codec.instruction in system), None)
        if strategy is None:
            return "1"
        entities = [
            Entity(at, at + len(word), label)
            for word, label in self._words.items()
            if self._only.get(word, strategy) == strategy
            for at in range(len(sentence))
            if sentence.startswith(word, at)
        ]
        return CODECS[strategy].encode(sentence, entities, self._labels)


def annotator(
    words: Mapping[str, str],
    *,
    labels: str | os.PathLike[str] = "cmeee-v2",
    only: Mapping[str, Collection[str]] | None = None,
    judge: str = "hard-vote",
) -> Annotator:
    """An annotator without a model: two taggers that find the words of a dictionary (:class:`DictionaryEngine`)."""
    return load(labels, engine=DictionaryEngine(words, labels=labels, only=only), taggers=TAGGERS, judge=judge)


def async_annotator(
    words: Mapping[str, str],
    *,
    labels: str | os.PathLike[str] = "cmeee-v2",
    only: Mapping[str, Collection[str]] | None = None,
    judge: str = "hard-vote",
) -> AsyncAnnotator:
    """The asynchronous twin of :func:`annotator`."""
    return load_async(labels, engine=DictionaryEngine(words, labels=labels, only=only), taggers=TAGGERS, judge=judge)
