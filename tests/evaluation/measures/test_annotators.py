"""Annotators' documents are put together, compared, and held against taggers."""

from __future__ import annotations

from medner.core.records import Document, Entity
from medner.evaluation.measures.annotated_texts import AnnotatedText, gathered
from medner.evaluation.measures.annotators import overlapping_entities, pair_agreements
from medner.evaluation.measures.contradictions import Contradiction, contradicted
from medner.evaluation.measures.errors import ErrorClass
from medner.evaluation.measures.scoring import Counts
from medner.evaluation.measures.significance import Resampling

TEXT = "患者胸部疼痛伴咳嗽三天。"
PAIN, CHEST, COUGH = Entity(2, 6, "sym"), Entity(2, 4, "bod"), Entity(7, 9, "sym")


def document(id: str, *entities: Entity, text: str = TEXT) -> Document:  # noqa: A002
    """A document of the text."""
    return Document(id, text, entities)


def test_documents_meet_by_id_else_by_text() -> None:
    """Equal texts are matched in order; further annotations by one annotator, and other texts of an id, are told."""
    texts = gathered(
        [
            ("li", [document("a", PAIN), document("b"), document("c", text="甲")]),
            ("wang", [document("b", COUGH), document("x", CHEST), document("c", text="乙"), document("x")]),
        ]
    )
    assert [(one.id, sorted(one.entities)) for one in texts.texts] == [
        ("a", ["li", "wang"]),
        ("b", ["li", "wang"]),
        ("c", ["li"]),
        ("c", ["wang"]),
    ]
    assert texts.texts[0].entities["wang"] == {CHEST}
    assert texts.texts[1].entities["wang"] == {COUGH}
    assert (texts.repeated, texts.parted) == ((("x", "wang"),), ("c",))
    assert len(texts.shared) == 2


def test_every_pair_that_shares_a_document_is_compared() -> None:
    """F1 is the same from both sides; groups are all, overlapping entities, and types."""
    texts = gathered(
        [
            ("li", [document("a", PAIN, CHEST), document("b", COUGH)]),
            ("wang", [document("a", PAIN, COUGH)]),
            ("zhao", [document("b", Entity(7, 9, "dis"))]),
        ]
    )
    one, other = pair_agreements(texts, Resampling(resamples=100), ["dis"])
    assert (one.one, one.other, one.documents) == ("li", "wang", 1)
    assert one.overall.counts == Counts(tp=1, fp=1, fn=1)
    assert one.overlapping.counts == Counts(tp=1, fp=0, fn=1)
    assert one.by_type["bod"].counts == Counts(fn=1)
    assert list(one.by_type) == ["dis", "bod", "sym"]
    assert one.errors.overall[ErrorClass.NO_OVERLAP] == 1
    assert (other.one, other.other) == ("li", "zhao")
    assert other.errors.overall[ErrorClass.SAME_SPAN_OTHER_TYPE] == 1
    assert other.types.units == 1


def test_overlapping_entities_are_nested_crossing_or_on_one_stretch() -> None:
    """Those that only touch are not."""
    crossing = Entity(5, 8, "dis")
    assert overlapping_entities([PAIN, CHEST, crossing, COUGH]) == {PAIN, CHEST, crossing, COUGH}
    assert overlapping_entities([CHEST, Entity(4, 6, "sym"), COUGH]) == set()
    assert overlapping_entities([COUGH, Entity(7, 9, "dis")]) == {COUGH, Entity(7, 9, "dis")}


def test_gold_that_all_taggers_contradict() -> None:
    """The strongest first; what one tagger gives, or an annotator marked, is no contradiction."""
    texts = [
        AnnotatedText("a", TEXT, {"li": frozenset({PAIN, COUGH}), "wang": frozenset({PAIN, COUGH, CHEST})}),
        AnnotatedText("b", TEXT, {"li": frozenset({CHEST})}),
        AnnotatedText("c", TEXT, {"li": frozenset({PAIN})}),
    ]
    disease, days = Entity(7, 9, "dis"), Entity(9, 11, "sym")
    taggers = {
        "a": {"symbol": frozenset({disease, days, CHEST}), "span": frozenset({disease, PAIN, days, CHEST})},
        "b": {"symbol": frozenset({PAIN}), "span": frozenset[Entity]()},
    }
    found = contradicted(texts, taggers)
    assert [(one.document, one.kind, one.gold, one.given) for one in found] == [
        ("a", Contradiction.OTHER, (COUGH,), (disease,)),
        ("a", Contradiction.ADDED, (), (days,)),
        ("b", Contradiction.MISSED, (CHEST,), ()),
    ]
    assert (found[0].start, found[0].end) == (7, 9)
