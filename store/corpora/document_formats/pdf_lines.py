"""The lines of a PDF page: characters with their rectangles, as PDFium finds them."""

from __future__ import annotations

import ctypes
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from medner.core.records import Box
from medner.store.corpora.document_formats.radicals import character_of

#: How PDFium gives the hyphen of a word that goes on in the next line.
HYPHEN = "\x02"
#: A gap of so many heights of a character between two of a line parts columns.
_GAP_HEIGHTS = 1.5


@dataclass(frozen=True, slots=True)
class Char:
    """A character and its rectangle; ``made_up``: PDFium put it there, a space where there is a gap."""

    text: str
    box: Box
    made_up: bool = False


@dataclass(frozen=True)
class PdfLine:
    """A line of a page, with at least one character that is not white space."""

    page: int
    chars: tuple[Char, ...]

    @cached_property
    def text(self) -> str:
        """The line's text, a tab where columns part."""
        return "".join(char.text for char in self.chars)

    @cached_property
    def box(self) -> Box:
        """The rectangle round the line."""
        boxes = [char.box for char in self.chars if not char.made_up]
        lefts, bottoms, rights, tops = zip(*boxes, strict=True)
        return (min(lefts), min(bottoms), max(rights), max(tops))

    @cached_property
    def height(self) -> float:
        """The usual height of its characters."""
        return median(char.box[3] - char.box[1] for char in self.chars if not char.made_up)

    @property
    def left(self) -> float:
        """Where it begins on the page."""
        return self.box[0]

    @property
    def right(self) -> float:
        """Where it ends on the page."""
        return self.box[2]

    @property
    def has_columns(self) -> bool:
        """Whether it is a row of a table, or the like."""
        return "\t" in self.text

    @cached_property
    def edges(self) -> tuple[float, ...]:
        """The right edge of each character; none where they do not stand beside each other, as in turned text."""
        edges: list[float] = []
        at = self.left
        for char in self.chars:
            right = at if char.made_up else char.box[2]
            if right < at - self.height:
                return ()
            at = max(at, right)
            edges.append(round(at, 1))
        return tuple(edges)


@dataclass(slots=True)
class PageCounts:
    """What was met on a page: characters, those that no font names, radicals."""

    characters: int = 0
    unmapped: int = 0
    radicals: int = 0


def lines_of(page: int, text_page: Any, counts: PageCounts) -> list[PdfLine]:
    """The lines of a page, in the order in which they stand in the file."""
    lines: list[PdfLine] = []
    gathered: list[Char] = []
    for char in [*_characters(text_page, counts), None]:
        if char is not None and char.text not in "\r\n":
            gathered.append(char)
            continue
        trimmed = _trimmed(gathered)
        if trimmed:
            lines.append(PdfLine(page, tuple(_with_tabs(trimmed))))
        gathered = []
    return lines


def _characters(text_page: Any, counts: PageCounts) -> Iterator[Char]:
    import pypdfium2.raw as pdfium  # noqa: PLC0415  an optional dependency

    handle, rectangle = text_page.raw, pdfium.FS_RECTF()
    high = 0
    for index in range(pdfium.FPDFText_CountChars(handle)):
        code = pdfium.FPDFText_GetUnicode(handle, index)
        made_up = pdfium.FPDFText_IsGenerated(handle, index) == 1
        if 0xD800 <= code < 0xDC00:
            high = code
            continue
        if 0xDC00 <= code < 0xE000 and high:
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00)
        high = 0
        pdfium.FPDFText_GetLooseCharBox(handle, index, ctypes.byref(rectangle))
        box = (rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)
        text = chr(code)
        if not made_up:
            counts.characters += 1
            if pdfium.FPDFText_HasUnicodeMapError(handle, index) == 1 or not _is_text(text):
                counts.unmapped += 1
                continue
            counts.radicals += character_of(text) != text
            text = character_of(text)
        # Where the file has a space of its own its rectangle is as good as none in many files.
        yield Char(text, box, made_up or text.isspace())


def _is_text(char: str) -> bool:
    return char == HYPHEN or char in "\t\r\n" or unicodedata.category(char) not in ("Cc", "Cs", "Cn", "Co")


def _trimmed(chars: Sequence[Char]) -> list[Char]:
    start, end = 0, len(chars)
    while start < end and chars[start].made_up:
        start += 1
    while end > start and chars[end - 1].made_up:
        end -= 1
    return list(chars[start:end])


def _with_tabs(chars: Sequence[Char]) -> Iterator[Char]:
    """The characters, white space once between words, and as a tab where the gap is that of a column."""
    last = chars[0]
    waiting: Char | None = None
    for char in chars:
        if char.made_up:
            waiting = char
            continue
        if waiting is not None:
            gap = char.box[0] - last.box[2]
            is_column = gap > _GAP_HEIGHTS * (last.box[3] - last.box[1])
            yield Char("\t" if is_column else " ", (last.box[2], last.box[1], char.box[0], last.box[3]), True)
            waiting = None
        yield char
        last = char
