"""Two thousand documents through every format: what it can hold comes back, the rest is counted and told."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from medner.core.characters import is_blank
from medner.core.records import Document, Entity
from medner.service.cli.app import main
from medner.store.corpora import FORMATS, Loss, read_documents, write_documents
from tests.store.corpora.generated_documents import LABELS, generated

#: A document as a format can hold it, with what is lost of it.
Held = tuple[Document, Counter[Loss]]
_NO_XML = re.compile("[\x00\x07\x0b\x0c\x1b\uffff]")


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    """The documents; all that is promised of them is there."""
    found = generated()
    texts = "".join(one.text for one in found)
    assert {"\r\n", "😊", "𠮷", "\x00"} <= {mark for mark in ("\r\n", "😊", "𠮷", "\x00") if mark in texts}
    assert sum(bool(one.entities) for one in found) > 1_500
    return found


def everything(document: Document) -> Held:
    """Formats that hold all there is."""
    return document, Counter()


def without_ids(document: Document) -> Held:
    """CMeEE's and CCKS2019's files, which have no ids."""
    return document, Counter({Loss.IDS: 1})


def in_xml(document: Document) -> Held:
    """XML lacks some characters."""
    text, lost = _NO_XML.subn("\ufffd", document.text)
    return replace(document, text=text), Counter({Loss.CONTROL: lost})


def in_tokens(document: Document) -> Held:
    """WebAnno TSV has rows for tokens alone, so that white space is neither at an edge nor before the first."""
    lost = Counter({Loss.CONTROL: document.text.count("\0")})
    text = document.text.replace("\0", "\ufffd")
    words = text.lstrip()
    if not words:
        return Document(document.id, ""), Counter({Loss.EMPTY: int(bool(text)), Loss.ALL_WHITE: len(document.entities)})
    leading = text[: len(text) - len(words)]
    lost[Loss.LEADING_WHITE] += bool(leading.strip(" "))
    entities = []
    for one in document.entities:
        inside = one.text_in(text)
        start, end = one.start + len(inside) - len(inside.lstrip()), one.end - len(inside) + len(inside.rstrip())
        if start < end:
            entities.append(Entity(start, end, one.label))
            lost[Loss.EDGE_WHITE] += (start, end) != (one.start, one.end)
        else:
            lost[Loss.ALL_WHITE] += 1
    return Document(document.id, " " * len(leading) + words, tuple(entities)), lost


def in_lines(document: Document) -> Held:
    """brat has no line break at an entity's edge."""
    lost: Counter[Loss] = Counter()
    entities = []
    for one in document.entities:
        words = one.text_in(document.text)
        start = one.start + len(words) - len(words.lstrip("\r\n"))
        end = one.end - len(words) + len(words.rstrip("\r\n"))
        if start < end:
            entities.append(Entity(start, end, one.label))
            lost[Loss.EDGE_BREAK] += (start, end) != (one.start, one.end)
        else:
            lost[Loss.ACROSS_BREAK] += 1
    return replace(document, entities=tuple(entities)), lost


HELD: Mapping[str, Callable[[Document], Held]] = {
    "cmeee": without_ids,
    "ccks": without_ids,
    "jsonl": everything,
    "label-studio": everything,
    "doccano": everything,
    "cas-json": everything,
    "cas-xmi": in_xml,
    "webanno-tsv": in_tokens,
    "brat": in_lines,
}
#: Formats that change more than a document at a time: test_round_trips.py says what of.
_FLAT = {"bio", "text"}


def test_every_format_that_is_written_is_here() -> None:
    """A new format needs its row."""
    written = {name for name, one in FORMATS.items() if one.write_stream or one.write_folder}
    assert HELD.keys() | _FLAT == written


@pytest.mark.parametrize("name", HELD)
def test_what_a_format_can_hold_comes_back(name: str, documents: list[Document], tmp_path: Path) -> None:
    """Texts, entities, and ids where there is a place for them; everything else is counted, each kind by itself."""
    target = tmp_path / "out"
    writing = write_documents(documents, target, format=name, labels=LABELS)
    back = list(read_documents(target, format=name, labels=LABELS))
    expected, lost = _held(documents, HELD[name])
    assert writing.losses == +lost
    assert (writing.documents, writing.entities) == (len(documents), sum(len(one.entities) for one in documents))
    if Loss.IDS in lost:
        assert [(one.text, one.entities) for one in back] == [(one.text, one.entities) for one in expected]
    else:
        assert sorted(back, key=lambda one: one.id) == sorted(expected, key=lambda one: one.id)


def _held(documents: Sequence[Document], held: Callable[[Document], Held]) -> tuple[list[Document], Counter[Loss]]:
    found = [held(document) for document in documents]
    return [document for document, _ in found], sum((lost for _, lost in found), start=Counter())


def test_plain_text_holds_texts(documents: list[Document], tmp_path: Path) -> None:
    """All entities are counted as lost; a blank note, or one with zero bytes, is no text file."""
    notes = [one for one in documents if not is_blank(one.text) and "\0" not in one.text]
    writing = write_documents(notes, tmp_path / "out", format="text")
    back = {one.id: one.text for one in read_documents(tmp_path / "out", format="text")}
    assert back == {one.id: one.text for one in notes}
    assert writing.losses == {Loss.ALL_ENTITIES: sum(len(one.entities) for one in notes)}


def test_bio_holds_flat_entities_inside_lines(documents: list[Document], tmp_path: Path) -> None:
    """Every entity is there or is counted; documents of one line come back with their outermost entities."""
    writing = write_documents(documents, tmp_path / "out.bio", format="bio")
    reading = read_documents(tmp_path / "out.bio", format="bio")
    back = list(reading)
    lost = (Loss.NESTED, Loss.CROSSING, Loss.SAME_SPAN, Loss.ACROSS_BREAK)
    assert reading.entities == writing.entities - sum(writing.losses[kind] for kind in lost)
    assert writing.losses[Loss.CUT_AT_BREAK] == sum("\n" in one.text for one in documents)
    lines = [one for one in documents if one.text and "\n" not in one.text]
    held = {(one.text, tuple(_outermost(one))) for one in lines}
    assert held <= {(one.text, one.entities) for one in back}


def _outermost(document: Document) -> Iterator[Entity]:
    end = 0
    for one in document.entities:
        if one.start >= end:
            end = one.end
            yield one


@pytest.mark.parametrize("name", ["webanno-tsv", "cas-xmi"])
def test_convert_tells_what_is_lost(
    name: str, documents: list[Document], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From medner's own format to INCEpTION's and back by the command; its report has each loss with its number."""
    documents = documents[:400]
    source, middle, back = tmp_path / "in.jsonl", tmp_path / "middle", tmp_path / "back.jsonl"
    write_documents(documents, source, format="jsonl")
    assert main(["convert", str(source), "--to", name, "-o", str(middle), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    expected, lost = _held(documents, HELD[name])
    assert report["losses"] == {kind.name.lower(): count for kind, count in (+lost).items()}
    assert main(["convert", str(middle), "--to", "jsonl", "-o", str(back)]) == 0
    assert f"{middle}: read as {name}" in capsys.readouterr().err
    found = sorted(read_documents(back), key=lambda one: one.id)
    assert found == sorted(expected, key=lambda one: one.id)
