"""HL7 CDA documents, as Chinese hospitals share them (WS/T 500) and others (C-CDA): the text of their sections.

A section's text is its narrative. Documents after WS/T 500 often leave it empty and give the text in entries; then it
is these, a line each: the entry's name, a colon, its value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from medner.core.characters import is_blank
from medner.core.errors import BadInputError
from medner.core.records import Document, SourcePlace
from medner.store.corpora.document_formats.cda_narrative import narrative_lines, one_line
from medner.store.corpora.document_formats.packages import MOST_XML_BYTES, local_name, parsed_xml
from medner.store.corpora.document_formats.placed_text import PlacedText, whole_document
from medner.store.corpora.reading.encoding import decode_text, head_text
from medner.store.corpora.reading.filenames import document_id
from medner.store.corpora.reading.format import Format, Reading
from medner.store.corpora.reading.notes import Note
from medner.store.corpora.reading.raw_records import open_bytes

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SUFFIXES = (".xml",)
_HEAD_BYTES = 1 << 16
_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_ACTS = ("observation", "act", "procedure", "substanceAdministration", "supply", "encounter")
#: Acts whose code is what was done or given, not the name of a value.
_NAMED_BY_CODE = ("procedure", "substanceAdministration")


def is_cda(head: str) -> bool:
    """Whether a file that begins so is a CDA document."""
    return head.lstrip("\ufeff \t\r\n")[:1] == "<" and re.search(r"<(\w+:)?ClinicalDocument\b", head) is not None


def is_cda_file(path: Path) -> bool:
    """Whether a file is a CDA document; False for one that cannot be read."""
    try:
        with path.open("rb") as file:
            return is_cda(head_text(file.read(_HEAD_BYTES)))
    except OSError:
        return False


def _read(reading: Reading) -> Document:
    with open_bytes(reading.path) as file:
        data = file.read(MOST_XML_BYTES + 1)
    if len(data) > MOST_XML_BYTES:
        raise BadInputError(f"more than {MOST_XML_BYTES >> 20} MB of XML, which no document has", path=reading.path)
    decoded, encoding = decode_text(data, reading.path, reading.options)
    if encoding.note is not None:
        reading.notes[encoding.note] += 1
    # The parser knows few encodings; what the declaration says of them is settled.
    root = parsed_xml(_DECLARATION.sub("", decoded, count=1), reading.path)
    if local_name(root) != "ClinicalDocument":
        raise BadInputError(f"XML, but no CDA document: its root is {local_name(root)}", path=reading.path)
    return _document(reading, root)


def _document(reading: Reading, root: Element) -> Document:
    text = _Sections(reading)
    for component in _children(root, "component"):
        for body in _children(component, "structuredBody"):
            text.sections(body, ())
        for body in _children(component, "nonXMLBody"):
            text.plain_body(body)
    return text.document(document_id(reading.path, None))


class _Sections(PlacedText):
    """The text of the sections, in order."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._reading = reading
        self._paragraph = 0

    def sections(self, parent: Element, titles: tuple[str, ...]) -> None:
        """Adds the sections under a body or a section; ``titles`` are those of the sections around."""
        for component in _children(parent, "component"):
            for section in _children(component, "section"):
                self._section(section, titles)

    def plain_body(self, body: Element) -> None:
        """Adds a body that is plain text. BadInputError for a body that is a file of another kind."""
        for element in _children(body, "text"):
            kind = element.get("mediaType", "text/plain")
            if kind != "text/plain" or element.get("representation") == "B64":
                raise BadInputError(
                    f"the body is no text but {kind}; take it out as a file of its own, and read that",
                    path=self._reading.path,
                )
            for line in narrative_lines(element):
                self._line(line, "")

    def _section(self, section: Element, titles: tuple[str, ...]) -> None:
        title = next((one_line("".join(one.itertext())) for one in _children(section, "title")), "")
        name = title or _code_name(section)
        path = (*titles, name) if name else titles
        lines = [line for text in _children(section, "text") for line in narrative_lines(text)]
        entries = [(label, value) for entry in _children(section, "entry") for label, value in _values(entry)]
        if title and (lines or entries):
            self._line(title, " / ".join(path))
        for line in lines:
            self._line(line, " / ".join(path))
        if lines:
            self._reading.notes[Note.ENTRIES] += len(entries)
        else:
            for label, value in entries:
                part = " / ".join(path if label in ("", *path) else (*path, label))
                self._line(f"{label}：{value}" if label and label != title else value, part)
        self.sections(section, path)

    def _line(self, line: str, part: str) -> None:
        self._paragraph += 1
        self.break_line()
        self.add(line, SourcePlace(0, len(line), None, self._paragraph, part))


def _values(parent: Element) -> Iterator[tuple[str, str]]:
    """The names and values of all acts in an entry that have a value in words or numbers, in order."""
    for element in parent:
        if local_name(element) in _ACTS:
            yield from _values_of(element)
        yield from _values(element)


def _values_of(act: Element) -> Iterator[tuple[str, str]]:
    label, kind = _code_name(act), local_name(act)
    found = [value for one in _children(act, "value") if (value := _value(one))]
    found += [line for one in _children(act, "text") for line in narrative_lines(one)]
    drugs = [one for name in ("consumable", "product") for one in _children(act, name)]
    found += [name for one in drugs for name in _drug_names(one)]
    if found:
        yield from ((label, value) for value in found)
    elif kind in _NAMED_BY_CODE and label:
        yield "", label


def _value(element: Element) -> str:
    """A value as people read it; "" for one that is no text, no code with a name and no quantity."""
    if element.get("representation") == "B64":
        return ""
    text = one_line("".join(element.itertext()))
    if text:
        return text
    if element.get("displayName"):
        return one_line(element.get("displayName", ""))
    quantity, unit = element.get("value", ""), element.get("unit", "")
    is_quantity = element.get(_TYPE, "").rpartition(":")[2] in ("PQ", "INT", "REAL", "MO")
    return f"{quantity}{unit if unit != '1' else ''}" if quantity and is_quantity else ""


_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def _drug_names(consumable: Element) -> Iterator[str]:
    for element in consumable.iter():
        if local_name(element) in ("manufacturedMaterial", "manufacturedLabeledDrug"):
            names = [one_line("".join(one.itertext())) for one in _children(element, "name")]
            name = next((one for one in names if one), "") or _code_name(element)
            if name:
                yield name


def _code_name(element: Element) -> str:
    """What the code of an element is called."""
    for code in _children(element, "code"):
        words = "".join("".join(one.itertext()) for one in _children(code, "originalText"))
        name = code.get("displayName") or ("" if is_blank(words) else words)
        if name:
            return one_line(name)
    return ""


def _children(parent: Element, name: str) -> Iterator[Element]:
    return (child for child in parent if local_name(child) == name)


FORMAT = Format("cda", "an HL7 CDA document (XML)", partial(whole_document, read=_read))
