"""Documents cut into sentences, once: what is split for counting is not split again for annotating."""

from __future__ import annotations

from dataclasses import dataclass

from medner.core.records import Document, Sentence
from medner.core.sentences import split_sentences
from medner.service.config.configuration import Configuration


@dataclass(frozen=True, slots=True)
class SplitDocument:
    """A document and its sentences, in text order."""

    document: Document
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Splitting:
    """How documents are cut into sentences: code points at most, and whether a sentence goes on over a line break."""

    max_chars: int
    join_lines: bool = False

    @classmethod
    def of(cls, configuration: Configuration) -> Splitting:
        """As a configuration says."""
        return cls(configuration.max_chars, configuration.join_lines)

    def split(self, document: Document) -> SplitDocument:
        """The document with its sentences."""
        return SplitDocument(document, split_sentences(document, max_chars=self.max_chars, join_lines=self.join_lines))
