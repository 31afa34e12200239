"""Gold documents and predictions find each other."""

from __future__ import annotations

import pytest

from medner.core.errors import UserError
from medner.core.records import Document, Entity
from medner.evaluation.measures.matching import align_systems, pair_documents


def test_documents_are_paired_by_id() -> None:
    """The order of the predictions does not matter when the ids are known."""
    gold = [Document("a", "咳嗽"), Document("b", "发热")]
    pairing = pair_documents(gold, [Document("b", "发热"), Document("a", "咳嗽")])
    assert [(pair.gold.id, pair.predicted.id) for pair in pairing.pairs if pair.predicted] == [("a", "a"), ("b", "b")]
    assert pairing.by_text == 0


def test_unknown_ids_are_paired_by_text_and_repeated_texts_in_order() -> None:
    """Two documents with one and the same text take their predictions in the order of the files."""
    gold = [Document("a", "同上"), Document("b", "发热"), Document("c", "同上")]
    pairing = pair_documents(gold, [Document("x", "同上"), Document("y", "同上"), Document("z", "发热")])
    assert [pair.predicted.id for pair in pairing.pairs if pair.predicted] == ["x", "z", "y"]
    assert pairing.by_text == 3


def test_a_prediction_with_a_gold_id_is_not_taken_by_an_equal_text() -> None:
    """Matching by id comes first, also where another gold document before it has the same text."""
    gold = [Document("a", "同上"), Document("b", "同上")]
    pairing = pair_documents(gold, [Document("b", "同上", (Entity(0, 2, "sym"),))])
    assert [pair.predicted is None for pair in pairing.pairs] == [True, False]
    assert pairing.missing == ("a",)


def test_a_prediction_without_gold_is_refused_by_name() -> None:
    """The first prediction that is left over is named."""
    with pytest.raises(UserError, match=r"mine: document 'x' .*not among the gold documents"):
        pair_documents([Document("a", "咳嗽")], [Document("x", "腹泻"), Document("a", "咳嗽")], name="mine")


def test_a_second_prediction_of_the_same_text_is_refused() -> None:
    """One gold document cannot take two predictions."""
    with pytest.raises(UserError, match="'y'"):
        pair_documents([Document("a", "咳嗽")], [Document("x", "咳嗽"), Document("y", "咳嗽")])


def test_other_text_under_the_same_id_is_refused() -> None:
    """Offsets in another text mean nothing, so the place where the texts part is said."""
    with pytest.raises(UserError, match="part at character 2"):
        pair_documents([Document("a", "咳嗽三天")], [Document("a", "咳嗽3天")])


def test_a_repeated_id_is_refused() -> None:
    """An id that stands twice does not say which document is meant."""
    with pytest.raises(UserError, match="'a' is there more than once"):
        pair_documents([Document("a", "咳嗽"), Document("a", "发热")], [])


def test_systems_must_hold_the_same_documents() -> None:
    """An ensemble of different documents is refused."""
    with pytest.raises(UserError, match="two has no document 'b'"):
        align_systems([("one", [Document("a", "咳嗽"), Document("b", "发热")]), ("two", [Document("a", "咳嗽")])])
