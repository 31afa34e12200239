"""The narrative of a CDA section as lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from medner.core.characters import is_blank
from medner.store.corpora.document_formats.packages import local_name

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: Elements that begin a line and end one; cells of a row are parted by tabs.
_BLOCKS = frozenset(
    {"paragraph", "list", "item", "table", "thead", "tbody", "tfoot", "tr", "caption", "footnote", "colgroup"}
)
_CELLS = ("td", "th")
_BREAK, _CELL = "\x1e", "\x1f"
_SPACE = re.compile(r"[ \t\r\n]+")
_HAN = r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff\u3000-\u303f]"
#: A line break of the XML file between Chinese characters is no space.
_BETWEEN_HAN = re.compile(rf"(?<={_HAN})[ \t]*[\r\n]\s*(?={_HAN})")


def narrative_lines(text: Element) -> Iterator[str]:
    """The lines of a narrative that hold anything: paragraphs, items, rows of tables (cells parted by tabs).

    In a narrative without markup the line breaks of the file are those of the text.
    """
    if len(text) == 0:
        lines = (text.text or "").splitlines()
    else:
        whole = "".join(_marked(text)).replace("\r", "")
        lines = whole.split(_BREAK)
    for line in lines:
        cells = [one_line(cell) for cell in line.split(_CELL)]
        while cells and not cells[-1]:
            cells.pop()
        shown = "\t".join(cells[1:] if len(cells) > 1 and not cells[0] else cells)
        if not is_blank(shown):
            yield shown


def one_line(text: str) -> str:
    """A text without the line breaks and indentation of the file."""
    return _SPACE.sub(" ", _BETWEEN_HAN.sub("", text)).strip(" ")


def _marked(element: Element) -> Iterator[str]:
    """The text under an element, with marks where lines and cells begin."""
    yield element.text or ""
    for child in element:
        name = local_name(child)
        mark = _BREAK if name in _BLOCKS or name == "br" else ""
        yield _CELL if name in _CELLS else mark
        if name:
            yield from _marked(child)
        yield mark
        yield child.tail or ""
