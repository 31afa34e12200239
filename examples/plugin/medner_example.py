"""A tagger by a word list, a filter by length, a judge that keeps the longest, and a corpus format of tabs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import medner
from medner.plugins import (
    Case,
    Decoded,
    Document,
    Entity,
    Format,
    Mention,
    PluginContext,
    Reading,
    Sentence,
    TaggerOutput,
    Verdict,
    Writing,
    filled_lines,
    read_records,
    verdict,
)


@dataclass(frozen=True)
class DictionaryTagger:
    """Finds every word of a list, wherever it stands."""

    name: str
    words: dict[str, str]

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        """All places of all words."""
        found = [
            Entity(start, start + len(word), label)
            for word, label in self.words.items()
            for start in range(len(sentence.text))
            if sentence.text.startswith(word, start)
        ]
        return TaggerOutput(self.name, "", Decoded(tuple(found)))


def dictionary_tagger(context: PluginContext) -> DictionaryTagger:
    """``plugin:dictionary:FILE``: a line of the file is a word, a tab and the code of a type."""
    if not context.argument:
        raise medner.UserError("plugin:dictionary needs a file with words: plugin:dictionary:words.txt")
    words = {}
    for number, line in enumerate(Path(context.argument).read_text(encoding="utf-8").splitlines(), 1):
        word, tab, label = line.partition("\t")
        if not word or not tab or label not in context.labels:
            codes = ", ".join(context.labels.codes)
            raise medner.BadInputError(f"needs a word, a tab and one of {codes}", path=context.argument, line=number)
        words[word] = label
    return DictionaryTagger(context.name, words)


@dataclass(frozen=True)
class ShortWords:
    """Doubts words of one character."""

    name: str = "short-words"
    threshold: float = 0.5

    async def score(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """A probability that grows with the length."""
        return [1 - 0.6 ** (entity.end - entity.start) for entity in entities]


def short_words(context: PluginContext) -> ShortWords:
    """``plugin:short-words``."""
    return ShortWords()


@dataclass(frozen=True)
class Longest:
    """Keeps the longest candidate of a conflict; the first of those that are equally long."""

    name: str = "longest"
    version: str = "1"

    async def judge(self, case: Case) -> Verdict:
        """One candidate is kept, the others are dropped."""
        best = max(case.conflict.candidates, key=lambda one: one.entity.end - one.entity.start)
        return verdict(self, case, [best.entity], mode="rule")

    def prompt(self, case: Case) -> str:
        """No model is asked."""
        return ""


def longest(context: PluginContext) -> Longest:
    """``plugin:longest``."""
    return Longest()


def _read(reading: Reading) -> Iterator[Document]:
    return read_records(reading, filled_lines(reading), _document)


def _document(reading: Reading, record: Any) -> Document:
    id_, text, *entities = record.raw.split("\t")
    mentions = []
    for entity in entities:
        start, end, label = entity.split(" ")
        mentions.append(Mention(int(start), int(end), label, None, "entity"))
    return reading.document(id_, text.replace("\\n", "\n"), mentions, line=record.place)


def _write(documents: Iterable[Document], out: TextIO, writing: Writing) -> None:
    for document in documents:
        entities = (f"{one.start} {one.end} {writing.label(one.label)}" for one in document.entities)
        out.write("\t".join((document.id, document.text.replace("\n", "\\n"), *entities)) + "\n")


TAB_LINES = Format("tab-lines", "a document a line, fields between tabs", _read, write_stream=_write)
