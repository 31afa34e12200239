"""medner's own lines hold the whole annotation, and nothing that contradicts itself."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medner.core.errors import BadInputError
from medner.core.records import (
    AnnotatedDocument,
    AnnotatedEntity,
    Annotation,
    Candidate,
    Conflict,
    ConflictKind,
    Decision,
    Decoded,
    Document,
    Entity,
    Exemplar,
    Failure,
    Fallback,
    FilterDrop,
    Rejected,
    Rejection,
    Sentence,
    Span,
    TaggerOutput,
    Verdict,
)
from medner.store.corpora import annotated_to_line, document_to_line, line_to_annotated

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def annotations(draw: st.DrawFn, text: str, offset: int, document_id: str) -> Annotation:
    """A sentence with every kind of record in it."""

    def entity() -> Entity:
        start = draw(st.integers(0, len(text) - 1))
        return Entity(start, draw(st.integers(start + 1, len(text))), draw(st.sampled_from(["dis", "身体"])))

    one, other = entity(), entity()
    found = Candidate(one, draw(st.sampled_from([(), (draw(WORDS),)])), draw(st.none() | NUMBERS))
    decision = draw(st.sampled_from(Decision))
    return Annotation(
        sentence=Sentence(draw(WORDS), text, offset, document_id),
        entities=(AnnotatedEntity(one, decision, ("t",), draw(st.none() | NUMBERS), draw(st.none() | WORDS)),),
        outputs=(
            TaggerOutput("t", draw(WORDS), Decoded((other,), (Rejected(draw(st.sampled_from(Rejection)), "x"),))),
        ),
        dropped=(FilterDrop(found, "f", draw(NUMBERS)),),
        conflicts=(Conflict("c", Span(0, 1), draw(st.sampled_from(ConflictKind)), (found,), (other,)),),
        verdicts=(
            Verdict(
                "c",
                (one,),
                (other,),
                "j",
                "1",
                "select",
                prompt=draw(WORDS),
                exemplars=(Exemplar(draw(WORDS), "dis", distance=draw(st.none() | NUMBERS)),),
                fallback=draw(st.none() | st.sampled_from(Fallback)),
            ),
        ),
        failures=(Failure("tag", "t", "k", draw(WORDS), draw(WORDS)),),
        timings=draw(st.dictionaries(WORDS, NUMBERS, max_size=2)),
        left_out=draw(st.sampled_from([{}, {"maybe": 3}, {"doubtful": 1, "maybe": 2}])),
    )


@st.composite
def annotated(draw: st.DrawFn) -> AnnotatedDocument:
    """A document of two sentences, with entities it had before."""
    first, second = draw(WORDS) + "甲𠀀", draw(WORDS) + "👍🏽"
    text = f"{first}\r\n{second}"
    given_before = draw(st.sampled_from([(), (Entity(0, 1, "dis"),)]))
    document = Document(draw(WORDS), text, given_before)
    found = (
        draw(annotations(first, 0, document.id)),
        draw(annotations(second, len(first) + 2, document.id)),
    )
    return AnnotatedDocument(document, found[: draw(st.integers(1, 2))])


@settings(max_examples=60, deadline=None)
@given(annotated())
def test_a_line_gives_the_annotated_document_back(document: AnnotatedDocument) -> None:
    """Everything known comes back equal, from one line; the entities in it have their text at their place."""
    line = annotated_to_line(document)
    assert "\n" not in line
    assert line_to_annotated(line) == document
    for entity in json.loads(line)["entities"]:
        assert document.document.text[entity["start"] : entity["end"]] == entity["text"]


def test_a_line_names_what_was_left_out_only_where_something_was() -> None:
    """Lines of runs that leave nothing out are as they were before there was the key."""
    for left_out in ({}, {"maybe": 3}):
        annotation = Annotation(Sentence("a#0", "患者发热", 0, "a"), left_out=left_out)
        line = json.loads(annotated_to_line(AnnotatedDocument(Document("a", "患者发热"), (annotation,))))
        assert line["sentences"][0].get("left_out", {}) == left_out
        assert ("left_out" in line["sentences"][0]) is bool(left_out)


def test_a_line_without_sentences_is_a_plain_document() -> None:
    """Its entities are the document's own."""
    document = Document("a", "患者发热", (Entity(2, 4, "sym"),))
    assert line_to_annotated(document_to_line(document)) == AnnotatedDocument(document, ())


def sample() -> dict[str, Any]:
    sentence = Sentence("a#0", "患者发热", 0, "a")
    annotation = Annotation(sentence, (AnnotatedEntity(Entity(2, 4, "sym"), Decision.AGREED),))
    line: dict[str, Any] = json.loads(annotated_to_line(AnnotatedDocument(Document("a", "患者发热"), (annotation,))))
    return line


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"entities": []}, "entities"),
        ({"entities": [{"start": 2, "end": 4, "label": "sym", "text": "头痛"}]}, "entities.0"),
        ({"entities": [{"start": 2, "end": 9, "label": "sym"}]}, "entities.0"),
        ({"entities": [{"start": 2, "end": 4, "label": "sym", "more": 1}]}, "entities.0.more"),
        ({"more": 1}, "more"),
        ({"text": "病人发热"}, "sentences.0"),
        ({"id": None}, "id"),
    ],
)
def test_a_line_that_contradicts_itself_is_refused(change: dict[str, object], key: str) -> None:
    """Changed text, entities or keys are errors that name the key."""
    with pytest.raises(BadInputError) as caught:
        line_to_annotated(json.dumps(sample() | change))
    assert caught.value.key == key


def test_unknown_keys_are_refused_at_every_depth() -> None:
    """A key nobody knows, deep in a record, is an error."""
    line = sample()
    line["sentences"][0]["entities"][0]["entity"]["more"] = 1
    with pytest.raises(BadInputError, match="more"):
        line_to_annotated(json.dumps(line))
