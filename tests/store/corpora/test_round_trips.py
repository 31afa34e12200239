"""What is written in a format and read again is the same, as far as the format can hold it."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medner.core.characters import is_blank
from medner.core.labels import load_label_set
from medner.core.records import Document, Entity
from medner.store.corpora import FORMATS, Loss, read_documents, write_documents

LABELS = load_label_set("cmeee-v2")
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30) | st.lists(
    st.sampled_from(
        ["患者", "发热", "[", "]", "<", '"', "\\n", "\t", "\r\n", "\n", "𠀀", "👨‍👩‍👧", "Ｃ", "\ufeff", "\u2028"]
    ),
    min_size=1,
    max_size=10,
).map("".join)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A document with nested, crossing, repeated and edge entities."""
    text = draw(_TEXTS)
    places = st.tuples(st.integers(0, len(text) - 1), st.integers(1, len(text)))
    pairs = draw(st.lists(places, max_size=6))
    codes = st.sampled_from(LABELS.codes)
    return Document("", text, tuple(Entity(a, b, draw(codes)) for a, b in pairs if a < b))


def numbered(found: list[Document]) -> list[Document]:
    return [Document(f"n/{number}.甲 %2F", one.text, one.entities) for number, one in enumerate(found)]


@pytest.mark.parametrize("name", ["cmeee", "ccks", "jsonl", "label-studio", "doccano"])
@settings(max_examples=60, deadline=None)
@given(st.lists(documents(), min_size=1, max_size=3).map(numbered), st.booleans())
def test_json_formats_hold_everything(name: str, found: list[Document], inclusive: bool) -> None:
    """Text, entities, order and (where there is a place for them) ids come back, and a second writing is byte-equal."""
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / "a.x", Path(folder) / "b.x"
        report = write_documents(found, path, format=name, labels=LABELS)
        reading = read_documents(path, format=name, labels=LABELS)
        back = list(reading)
        assert [(one.text, one.entities) for one in back] == [(one.text, one.entities) for one in found]
        if Loss.IDS not in report.losses:
            assert [one.id for one in back] == [one.id for one in found]
        write_documents(back, again, format=name, labels=LABELS, layout=reading.layout)
        assert again.read_bytes() == path.read_bytes()


@settings(max_examples=60, deadline=None)
@given(st.lists(documents(), min_size=1, max_size=3).map(numbered))
def test_brat_loses_only_line_breaks_at_edges(found: list[Document]) -> None:
    """Ids, texts and entities come back, but for entities that begin or end with a line break, which are counted."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out"
        report = write_documents(found, target, format="brat")
        back = sorted(read_documents(target), key=lambda one: one.id)
        expected = sorted(found, key=lambda one: one.id)
        assert [(one.id, one.text) for one in back] == [(one.id, one.text) for one in expected]
        unheld = 0
        for one, other in zip(expected, back, strict=True):
            edged = [entity for entity in one.entities if (text := entity.text_in(one.text)) != text.strip("\r\n")]
            unheld += len(edged)
            assert set(one.entities) - set(edged) <= set(other.entities)
        assert report.losses[Loss.EDGE_BREAK] + report.losses[Loss.ACROSS_BREAK] == unheld


@settings(max_examples=60, deadline=None)
@given(st.lists(documents(), min_size=1, max_size=3))
def test_bio_counts_what_it_loses(found: list[Document]) -> None:
    """Entities read back plus entities counted as lost are the entities written; reading and writing again is equal."""
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / "a.bio", Path(folder) / "b.bio"
        report = write_documents(found, path, format="bio")
        if is_blank(path.read_text(encoding="utf-8")):
            return
        reading = read_documents(path, format="bio")
        back = list(reading)
        lost = (Loss.NESTED, Loss.CROSSING, Loss.SAME_SPAN, Loss.ACROSS_BREAK)
        assert reading.entities == report.entities - sum(report.losses[kind] for kind in lost)
        if not report.losses[Loss.CUT_AT_BREAK]:
            assert [one.text for one in back] == [one.text for one in found]
        write_documents(back, again, format="bio", layout=reading.layout)
        assert again.read_bytes() == path.read_bytes()


@settings(max_examples=30, deadline=None)
@given(st.lists(documents(), min_size=1, max_size=3).map(numbered))
def test_text_holds_text_and_ids(found: list[Document]) -> None:
    """Texts come back whole, line ends included; all entities are counted as lost."""
    found = [one for one in found if not is_blank(one.text) and "\0" not in one.text]
    if not found:
        return
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out"
        report = write_documents(found, target, format="text")
        back = read_documents(target)
        assert sorted((one.id, one.text) for one in back) == sorted((one.id, one.text) for one in found)
        assert report.losses[Loss.ALL_ENTITIES] == sum(len(one.entities) for one in found)


@pytest.mark.parametrize("name", [name for name, one in FORMATS.items() if one.write_stream or one.write_folder])
def test_a_written_file_is_recognised(name: str, tmp_path: Path) -> None:
    """What we write in a format is guessed to be in that format."""
    target = tmp_path / ("out.txt" if name not in ("brat", "text") else "out")
    write_documents([Document("a", "患者发热三天。", (Entity(2, 4, "sym"),))], target, format=name)
    assert read_documents(target).format is FORMATS[name]
