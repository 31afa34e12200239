"""Documents and entities: what they hold, how they are shown, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

import medner
from medner.testing import annotator
from tests.medner.conftest import ONLY, WORDS

NESTED = medner.Document(
    "n",
    "右肺癌 <b>史</b>",
    (medner.Entity(0, 2, "bod"), medner.Entity(0, 3, "dis"), medner.Entity(1, 4, "sym"), medner.Entity(0, 2, "bod")),
)


def test_entities_take_their_text_and_order() -> None:
    """Outer before inner, each once, with its text; offsets beyond the text are refused."""
    assert [(one.start, one.end, one.text) for one in NESTED.entities] == [
        (0, 3, "右肺癌"),
        (0, 2, "右肺"),
        (1, 4, "肺癌 "),
    ]
    assert str(NESTED).splitlines()[1] == "  dis: 右肺癌 [0,3)"


def _with(entity: medner.Entity) -> medner.Document:
    return medner.Document("d", "胸痛", (entity,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: medner.Document("d", "胸痛", (medner.Entity(1, 3, "sym"),)),
            r"\[1, 3\) is no place in its 2 characters",
        ),
        (lambda: medner.Document("d", "胸痛", (medner.Entity(1, 1, "sym"),)), "no place"),
        (
            lambda: medner.Document("d", "胸痛", (medner.Entity(0, 2, "sym", "咳嗽"),)),
            "the entity is '咳嗽', but its text",
        ),
        (lambda: medner.Document(7, "胸痛"), "id must be a string, got int"),  # type: ignore[arg-type]
        (lambda: medner.Document("d", None), "text must be a string, got NoneType"),  # type: ignore[arg-type]
    ],
)
def test_a_document_that_contradicts_itself_is_refused(make: Any, message: str) -> None:
    """In one line."""
    with pytest.raises(medner.UserError, match=message):
        make()


def test_plain_data_is_a_line_of_the_result_file(nlp: medner.Annotator) -> None:
    """`to_dict` is what `medner annotate -o` writes; a document of one's own has its entities."""
    data = nlp.annotate("查心电图。胸痛。").to_dict()
    assert list(data) == ["id", "text", "entities", "sentences"]
    assert data["entities"][0]["decision"] == "agreed"
    assert NESTED.to_dict()["entities"][0] == {"start": 0, "end": 3, "label": "dis", "text": "右肺癌"}
    json.dumps(data)


def test_a_page_of_a_document(nlp: medner.Annotator) -> None:
    """A page of an annotated document has its configuration and notice; one of an own document its entities."""
    page = nlp.annotate("查心电图。胸痛。").to_html(language="en")
    assert 'lang="en"' in page
    assert "No tagger is tuned" in page
    assert "html-full" in page
    own = NESTED.to_html()
    assert "右" in own
    assert "<b>史" not in own
    with pytest.raises(medner.UserError, match="language"):
        NESTED.to_html(language="de")


def test_a_notebook_shows_crossing_entities_escaped() -> None:
    """Every character stands once; markup of the text is text; the table has a row an entity."""
    shown = NESTED._repr_html_()
    assert "<b>史" not in shown
    assert "&lt;b&gt;史&lt;/b&gt;" in shown
    assert shown.count("<tr>") == 4
    assert "no entities" in medner.Document("d", "好")._repr_html_()


def test_a_failure_is_shown() -> None:
    """A document that lacks an answer says so."""
    document = medner.Document("d", "好", failures=("html: out of <memory>",))
    assert "⚠ html: out of &lt;memory&gt;" in document._repr_html_()


def test_a_table(nlp: medner.Annotator) -> None:
    """A row an entity; pandas is asked for only there."""
    pytest.importorskip("pandas")
    table = nlp.to_frame(["胸痛。", "好。", "高血压，咳嗽。"])
    assert list(table["document"]) == ["text-1", "text-3", "text-3"]
    assert list(table["text"]) == ["胸痛", "高血压", "咳嗽"]
    assert list(nlp.annotate("胸痛。").to_frame()["label_name"]) == ["临床表现"]
    assert len(nlp.to_frame([])) == 0


async def test_a_table_from_the_twin() -> None:
    """The same, awaited."""
    pytest.importorskip("pandas")
    from medner.testing import async_annotator

    async with async_annotator(WORDS) as nlp:
        assert list((await nlp.to_frame(["胸痛。"]))["decision"]) == ["agreed"]


def test_without_pandas_the_way_out_is_named(nlp: medner.Annotator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is annotated."""
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(medner.UserError, match=r"pip install 'medner\[frame\]'"):
        nlp.to_frame(["胸痛。"])


def test_equal_documents_are_equal() -> None:
    """Two runs that give the same are equal, wherever the records lie."""
    with annotator(WORDS, only=ONLY) as one, annotator(WORDS, only=ONLY) as other:
        first, second = one.annotate("查心电图。胸痛。"), other.annotate("查心电图。胸痛。")
    assert first.entities == second.entities
    assert [item.candidates for item in first.conflicts] == [item.candidates for item in second.conflicts]
