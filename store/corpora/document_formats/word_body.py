"""The blocks of a Word document as text: paragraphs a line each, rows of tables a line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from medner.core.records import SourcePlace
from medner.store.corpora.document_formats.packages import local_name
from medner.store.corpora.document_formats.placed_text import PlacedText
from medner.store.corpora.reading.notes import Note

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: Elements whose content is none of the text: deleted and moved text, codes of fields, properties.
_SKIPPED = frozenset(
    {"del", "moveFrom", "instrText", "delText", "pPr", "tblPr", "tblGrid", "trPr", "tcPr", "sdtPr", "sdtEndPr", "rt"}
)
_CHARACTERS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}
_REFERENCES = {"footnoteReference": "footnote", "endnoteReference": "endnote"}
_BREAKS_WITHOUT_TEXT = ("page", "column")


def value_of(element: Element, name: str) -> str:
    """An attribute by its name without namespace; "" where there is none."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


class WordBody:
    """Walks through blocks and puts their text together.

    ``notes`` counts what is left out, ``referred`` are the ids of the notes that the text refers to, in order.
    ``has_pages``: the program that saved the file noted where pages end.
    """

    def __init__(self, text: PlacedText, *, has_pages: bool) -> None:
        self._text = text
        self._page = 1
        self._has_pages = has_pages
        self._tables = 0
        self._boxes: list[Element] = []
        self.notes: Counter[Note] = Counter()
        self.referred: dict[str, list[str]] = {"footnote": [], "endnote": []}

    def blocks(self, parent: Element, part: str, *, has_pages: bool | None = None) -> None:
        """Adds the paragraphs and tables under an element; ``part`` is what its places are called."""
        if has_pages is not None:
            self._has_pages = has_pages
        paragraph = 0
        for block in _blocks_under(parent):
            if local_name(block) == "p":
                paragraph += 1
                self._paragraph(block, part, paragraph)
            else:
                self._tables += 1
                self._table(block, f"{part}, table {self._tables}" if part else f"table {self._tables}")

    def _paragraph(self, element: Element, part: str, number: int) -> None:
        if any(local_name(one) == "numPr" for one in element.iter()):
            self.notes[Note.NUMBERED] += 1
        self._add(element, part, number)
        self._text.break_line()
        boxes, self._boxes = self._boxes, []
        for box in boxes:
            self.blocks(box, f"{part}, text box" if part else "text box")

    def _table(self, element: Element, part: str) -> None:
        for row_number, row in enumerate(_found(element, "tr"), 1):
            cells = list(_found(row, "tc"))
            is_line = all(_is_line(cell) for cell in cells)
            column = 1
            for place, cell in enumerate(cells):
                if is_line and place:
                    self._text.add("\t")
                self._cell(cell, f"{part}, row {row_number}, column {column}", is_line=is_line)
                column += _width(cell)
            self._text.break_line()

    def _cell(self, cell: Element, part: str, *, is_line: bool) -> None:
        if not is_line:
            self.blocks(cell, part)
            return
        for paragraph in _blocks_under(cell):
            self._add(paragraph, part, 1)

    def _add(self, paragraph: Element, part: str, number: int) -> None:
        for piece in self._pieces(paragraph):
            if piece:
                page = self._page if self._has_pages else None
                self._text.add(piece, SourcePlace(0, len(piece), page, number, part))

    def _pieces(self, element: Element) -> Iterator[str]:
        """The text of a paragraph in pieces, each on one page."""
        for child in element:
            name = local_name(child)
            if name in _SKIPPED:
                self.notes[Note.DELETED] += name in ("del", "moveFrom")
            elif name == "lastRenderedPageBreak":
                self._page += 1
            elif name in _REFERENCES:
                self.referred[_REFERENCES[name]].append(value_of(child, "id"))
            elif name == "t":
                yield child.text or ""
            elif name in _CHARACTERS:
                if value_of(child, "type") not in _BREAKS_WITHOUT_TEXT:
                    yield _CHARACTERS[name]
            elif name == "r" and _is_hidden(child):
                self.notes[Note.HIDDEN] += 1
            elif name == "AlternateContent":
                yield from self._pieces(_chosen(child))
            elif name == "txbxContent":
                self._boxes.append(child)
            elif name in ("pic", "imagedata"):
                self.notes[Note.PICTURES] += 1
            else:
                yield from self._pieces(child)


def _blocks_under(parent: Element) -> Iterator[Element]:
    """Paragraphs and tables of an element, those in content controls and the like among them."""
    for child in parent:
        name = local_name(child)
        if name in ("p", "tbl"):
            yield child
        elif name not in _SKIPPED:
            yield from _blocks_under(child)


def _found(parent: Element, name: str) -> Iterator[Element]:
    """The rows of a table or the cells of a row, those in content controls among them."""
    for child in parent:
        if local_name(child) == name:
            yield child
        elif local_name(child) in ("sdt", "sdtContent", "customXml", "ins", "smartTag"):
            yield from _found(child, name)


def _is_line(cell: Element) -> bool:
    """Whether a cell holds one paragraph at most, so that its row is a line."""
    blocks = list(_blocks_under(cell))
    return len(blocks) <= 1 and all(
        local_name(one) == "p" and not any(local_name(each) in ("txbxContent", "br", "cr") for each in one.iter())
        for one in blocks
    )


def _width(cell: Element) -> int:
    """So many columns a cell takes."""
    span = next((value_of(one, "val") for one in cell.iter() if local_name(one) == "gridSpan"), "1")
    return int(span) if span.isdecimal() and len(span) < 4 else 1


def _is_hidden(run: Element) -> bool:
    for properties in run:
        if local_name(properties) == "rPr":
            return any(
                local_name(one) == "vanish" and value_of(one, "val") not in ("0", "false", "off") for one in properties
            )
    return False


def _chosen(alternatives: Element) -> Element:
    """Of a drawing and its form for older programs the first: both hold the same text."""
    return next((one for one in alternatives if local_name(one) == "Choice"), alternatives)
