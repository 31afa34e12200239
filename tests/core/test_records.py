"""The records' contracts hold for whatever is put in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.records import (
    AnnotatedDocument,
    AnnotatedEntity,
    Annotation,
    Decision,
    Document,
    Entity,
    Sentence,
    Span,
    in_order,
)

SPANS = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda pair: Span(pair[0], sum(pair)))
ENTITIES = st.builds(lambda span, label: Entity(span.start, span.end, label), SPANS, st.sampled_from(["dis", "sym"]))


@given(SPANS, SPANS)
def test_overlap_and_containment_are_those_of_the_characters(one: Span, other: Span) -> None:
    """Two spans overlap when they share a character, and one contains the other when it has all of its characters."""
    first, second = set(range(one.start, one.end)), set(range(other.start, other.end))
    assert one.overlaps(other) == bool(first & second)
    assert one.contains(other) == (second <= first)


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 2), (3, 2)])
def test_an_empty_or_negative_span_cannot_be_made(start: int, end: int) -> None:
    """Spans and entities hold at least one character and begin inside the text."""
    with pytest.raises(ValueError, match="0 <= start < end"):
        Span(start, end)
    with pytest.raises(ValueError, match="0 <= start < end"):
        Entity(start, end, "dis")


def test_an_entity_needs_a_label() -> None:
    """The empty label is refused."""
    with pytest.raises(ValueError, match="label"):
        Entity(0, 1, "")


@given(st.lists(ENTITIES))
def test_order_is_outer_first_and_without_repeats(entities: list[Entity]) -> None:
    """An outer entity precedes its inner ones; ordering again, or another order of input, changes nothing."""
    ordered = in_order(entities)
    assert set(ordered) == set(entities)
    assert len(set(ordered)) == len(ordered)
    assert in_order(reversed(entities)) == ordered == in_order(ordered)
    for place, entity in enumerate(ordered):
        assert not any(later.span.contains(entity.span) and later.span != entity.span for later in ordered[place + 1 :])


@given(st.text(max_size=40), st.lists(ENTITIES, max_size=5))
def test_a_documents_entities_lie_in_its_text(text: str, entities: list[Entity]) -> None:
    """Either every entity is inside, and has its text, or the document cannot be made."""
    if any(entity.end > len(text) for entity in entities):
        with pytest.raises(ValueError, match="outside"):
            Document("d", text, tuple(entities))
        return
    document = Document("d", text, tuple(entities))
    assert all(entity.text_in(text) == text[entity.start : entity.end] for entity in document.entities)


def test_text_outside_is_refused() -> None:
    """``text_in`` gives no short text for a span that reaches beyond the source."""
    with pytest.raises(ValueError, match="outside"):
        Entity(1, 4, "dis").text_in("发热。")


@given(st.integers(0, 9), st.lists(ENTITIES, max_size=5))
def test_results_are_in_offsets_of_the_document(offset: int, entities: list[Entity]) -> None:
    """A sentence's entities move by its offset; shifting there and back is nothing."""
    annotated = tuple(AnnotatedEntity(entity, Decision.AGREED) for entity in entities)
    sentence = Sentence("d#0", "好" * 40, offset, "d")
    document = AnnotatedDocument(Document("d", "好" * 50), (Annotation(sentence, annotated),))
    assert document.entities == in_order(entity.shifted(offset) for entity in entities)
    assert in_order(entity.shifted(-offset) for entity in document.entities) == in_order(entities)
