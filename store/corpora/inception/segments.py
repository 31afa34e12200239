"""Tokens and sentences of a document for INCEpTION, which wants both."""

from __future__ import annotations

import re
from collections.abc import Sequence

from medner.core.records import Document, Span
from medner.core.sentences import split_sentences

# Words of Latin, Greek and Cyrillic letters and of digits; each other character stands alone.
_TOKEN = re.compile(r"[0-9A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff]+|\S")
_MOST_CHARS = 8_192


def tokens_of(text: str) -> list[Span]:
    """Words and single Han characters; white space is in none."""
    return [Span(match.start(), match.end()) for match in _TOKEN.finditer(text)]


def sentence_starts(document: Document, tokens: Sequence[Span]) -> list[int]:
    """Where sentences begin, each with a token; the first with the first token."""
    firsts = {token.start for token in tokens}
    cuts = [one.offset for one in split_sentences(document, max_chars=_MOST_CHARS) if one.offset in firsts]
    return sorted({tokens[0].start, *cuts}) if tokens else []


def sentences_of(document: Document, tokens: Sequence[Span]) -> list[Span]:
    """The sentences without white space at their ends."""
    starts = sentence_starts(document, tokens)
    ends = [*starts[1:], len(document.text)] if starts else []
    return [
        Span(start, start + len(document.text[start:end].rstrip())) for start, end in zip(starts, ends, strict=True)
    ]
