"""Cutting a document into sentences that keep their place in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from medner.core.characters import is_blank, is_inside_cluster, without_blank_edges
from medner.core.records import Document, Sentence

_LINE_BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"  # the ones str.splitlines knows
_STRAIGHT_QUOTES = "\"'＂"
_CLOSING = "”’」』）)】]》〉｝}〕］"
_STOP = re.compile(
    rf"(?P<line>[{_LINE_BREAKS}]+)|(?P<end>[。！？；…｡!?;]+[。！？；…｡!?;.．{re.escape(_CLOSING)}{_STRAIGHT_QUOTES}]*)|(?P<dot>[.．]+)"
)
_WORD_BEFORE_DOT = re.compile(r"[A-Za-z.]+$")
_CLOSERS_AFTER_DOT = re.compile(rf"[{re.escape(_CLOSING)}{_STRAIGHT_QUOTES}]*")
# Words of clinical notes that end in a dot without ending a sentence.
_ABBREVIATIONS = frozenset(
    {"amp", "approx", "avg", "cap", "caps", "conc", "dept", "diag", "dose", "etc", "fig", "figs", "inj", "liq", "max"}
    | {"min", "neg", "pos", "post", "prep", "prof", "resp", "sol", "spp", "ssp", "subsp", "syr", "tab", "tabs", "temp"}
    | {"tid", "vit", "vol"}
)
_WEAK_PLACES = ("，,：:", "、", " \t\u3000\xa0\u2002\u2003\u2009\u202f\u200b")
_LONGEST_CLUSTER = 32
_SINGLE_BREAKS = ("\n", "\r\n", "\r")
_REST_OF_LINE = re.compile(rf"[^{_LINE_BREAKS}]*")
# Numbers and signs of items (but no number that goes on behind its point), and headings in brackets.
_NEW_ITEM = re.compile(
    r"\s*(?:\d{1,2}(?:[.．](?!\d)|[、)）])|[(（](?:\d{1,2}|[一二三四五六七八九十]{1,3})[)）]|[①-⑳]"
    r"|[一二三四五六七八九十]{1,3}、|[-*•·●○◆■□▪]\s?(?!\d)|[【\[][^】\]]{1,12}[】\]])"
)


class _Piece(NamedTuple):
    start: int
    end: int


def split_sentences(document: Document, *, max_chars: int = 256, join_lines: bool = False) -> tuple[Sentence, ...]:
    """The document's sentences, in order: together they hold all of its text but blank characters at their edges.

    A sentence ends at 。！？；… (and their half-width forms), at a line break, or at a full stop that is neither in
    a number nor after an abbreviation; closing quotes and brackets stay with it. A sentence over ``max_chars`` code
    points is cut after a comma, else an enumeration comma, else white space, else where no letter, mark or emoji
    sequence is torn apart. Ids are ``<document id>#<n>``, n from 0.

    ``join_lines``: a single line break inside a paragraph ends no sentence. A paragraph begins behind an empty line,
    with an item's number or sign, with a heading in brackets, and with a line that is indented more than the last.
    """
    if max_chars < 1:
        raise ValueError(f"max_chars must be at least 1, got {max_chars}")
    text = document.text
    pieces = (
        piece
        for whole in _pieces(text, join_lines=join_lines)
        for cut in _capped(text, whole, max_chars)
        if (piece := _trimmed(text, cut)) is not None
    )
    return tuple(
        Sentence(f"{document.id}#{number}", text[piece.start : piece.end], piece.start, document.id)
        for number, piece in enumerate(pieces)
    )


def _pieces(text: str, *, join_lines: bool) -> Iterator[_Piece]:
    start = 0
    quotes = _Quotes()
    for match in _STOP.finditer(text):
        if match.start() < start:
            continue
        if match.lastgroup == "dot":
            end = _end_at_dot(text, match)
        elif match.lastgroup == "line" and join_lines and _is_inside_paragraph(text, match):
            end = None
        elif match.lastgroup == "end":
            end = quotes.end_before_opening(text, start, match)
        else:
            end = match.end()
        if end is not None:
            yield _Piece(start, end)
            quotes.pass_by(text, start, end, line_ends=match.lastgroup == "line")
            start = end
    if start < len(text):
        yield _Piece(start, len(text))


def _is_inside_paragraph(text: str, line_end: re.Match[str]) -> bool:
    """Whether a line break cuts a paragraph at the width of the page, rather than ending it."""
    if line_end.group() not in _SINGLE_BREAKS:
        return False
    start = max(text.rfind(mark, 0, line_end.start()) for mark in _LINE_BREAKS) + 1
    here = text[start : line_end.start()]
    there = _REST_OF_LINE.match(text, line_end.end())
    after = there.group() if there else ""
    if is_blank(here) or is_blank(after) or _NEW_ITEM.match(after):
        return False
    return _indent(after) <= _indent(here)


def _indent(line: str) -> int:
    """The columns of white space a line begins with."""
    white = line[: len(line) - len(line.lstrip())]
    return sum(8 if char == "\t" else 2 if char == "\u3000" else 1 for char in white)


class _Quotes:
    """Straight quotes of the line so far: an odd one opens, an even one closes."""

    def __init__(self) -> None:
        self._seen = dict.fromkeys(_STRAIGHT_QUOTES, 0)

    def pass_by(self, text: str, start: int, end: int, *, line_ends: bool) -> None:
        for quote, seen in self._seen.items():
            self._seen[quote] = 0 if line_ends else seen + text.count(quote, start, end)

    def end_before_opening(self, text: str, start: int, stop: re.Match[str]) -> int:
        """The stop's end, drawn back to a straight quote that opens the next sentence."""
        for at in range(stop.start(), stop.end()):
            quote = text[at]
            if quote in self._seen and (self._seen[quote] + text.count(quote, start, at)) % 2 == 0:
                return at
        return stop.end()


def _end_at_dot(text: str, dot: re.Match[str]) -> int | None:
    """Where a sentence that ends at this full stop ends, or None when the stop ends nothing."""
    if dot.start() == 0:
        return None
    before, after = text[dot.start() - 1], text[dot.end() : dot.end() + 1]
    if len(dot.group()) > 1 or (after.isascii() and after.isalnum()) or before.isdigit() or is_blank(before):
        return None
    closers = _CLOSERS_AFTER_DOT.match(text, dot.end())
    end = closers.end() if closers else dot.end()
    if before in "）)" and text[dot.start() - 2 : dot.start() - 1].isdigit():
        return None
    if not (before.isascii() and before.isalpha()):
        return end
    word = _WORD_BEFORE_DOT.search(text[max(0, dot.start() - 24) : dot.start()])
    letters = word.group() if word else before
    if len(letters) < 3 or "." in letters or letters.lower() in _ABBREVIATIONS:
        return None
    return end if is_blank(after) else None


def _capped(text: str, piece: _Piece, max_chars: int) -> Iterator[_Piece]:
    start, end = piece
    while start < end and is_blank(text[start]):
        start += 1
    while end - start > max_chars:
        cut = _cut(text, start, start + max_chars)
        yield _Piece(start, cut)
        start = cut
        while start < end and is_blank(text[start]):
            start += 1
    if start < end:
        yield _Piece(start, end)


def _cut(text: str, start: int, limit: int) -> int:
    """The best place after ``start`` and not after ``limit`` to cut a sentence that is too long."""
    for floor in ((start + limit) // 2, start):
        for marks in _WEAK_PLACES:
            at = _last_of(marks, text, floor + 1, limit)
            while at > floor:
                if not _in_number(text, at) and not is_inside_cluster(text, at + 1):
                    return at + 1
                at = _last_of(marks, text, floor + 1, at)
    lowest = max(start + 1, limit - _LONGEST_CLUSTER)
    places = [at for at in range(limit, lowest - 1, -1) if not is_inside_cluster(text, at)]
    for at in places:
        if not (_is_word(text[at - 1]) and _is_word(text[at])):
            return at
    return places[0] if places else limit


def _last_of(marks: str, text: str, start: int, end: int) -> int:
    return max(text.rfind(mark, start, end) for mark in marks)


def _in_number(text: str, at: int) -> bool:
    return text[at] in ",:，：" and text[at - 1].isdigit() and text[at + 1 : at + 2].isdigit()


def _is_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char in "._,%/-")


def _trimmed(text: str, piece: _Piece) -> _Piece | None:
    start, end = without_blank_edges(text, *piece)
    return _Piece(start, end) if start < end else None
