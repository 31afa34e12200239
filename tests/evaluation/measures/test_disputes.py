"""The agreement view: pairs, kinds, whose candidates are kept, what is contested; tables, data and a drawing."""

from __future__ import annotations

import math

from medner.core.labels import load_label_set
from medner.core.records import (
    Annotation,
    Candidate,
    Conflict,
    ConflictKind,
    Decoded,
    Entity,
    Fallback,
    Sentence,
    Span,
    TaggerOutput,
    Verdict,
)
from medner.evaluation.measures.disputes import Share, disputes_in
from medner.service.traces.agreement import agreement_lines, agreement_svg

LABELS = load_label_set("cmeee-v2")
LONG, SHORT, PAIN = Entity(0, 4, "sym"), Entity(2, 4, "sym"), Entity(5, 7, "sym")


def annotation(text: str, *, fallback: bool = False) -> Annotation:
    """Both taggers find the pain; a says the long symptom, b the short one, and the judge takes the long one."""
    conflict = Conflict(
        "c0", Span(0, 4), ConflictKind.OVERLAP_SAME_TYPE, (Candidate(LONG, ("a",)), Candidate(SHORT, ("b",)))
    )
    rule = Fallback.MAJORITY if fallback else None
    verdict = Verdict("c0", (LONG,), (SHORT,), "house", "3", "vote", fallback=rule)
    outputs = (TaggerOutput("a", "", Decoded((LONG, PAIN))), TaggerOutput("b", "", Decoded((SHORT, PAIN))))
    return Annotation(Sentence("n#0", text), outputs=outputs, conflicts=(conflict,), verdicts=(verdict,))


def test_counts() -> None:
    """Every number of two sentences, by hand."""
    found = disputes_in([annotation("咽部充血，头痛"), annotation("咽部红肿，头痛", fallback=True)])
    assert (found.sentences, found.in_dispute, found.conflicts, found.fallbacks) == (2, 2, 2, 1)
    assert found.pairs["a", "b"] == Share(2, 6)
    assert found.kinds == {"overlap_same_type": 2}
    assert (found.wins["a"], found.wins["b"]) == (Share(2, 2), Share(0, 2))
    assert found.wins_by_type["a", "sym"] == Share(2, 2)
    assert found.contested(1) == [("充血", "sym", Share(0, 1))]
    assert found.judges == {"house@3": 2}
    assert found.as_data()["contested"][0] == {"text": "充血", "type": "sym", "kept": 0, "disputed": 1}


def test_nothing_is_no_share() -> None:
    """0 of 0 is NaN, and shown as nothing."""
    assert math.isnan(Share().ratio)
    empty = disputes_in([])
    assert next(agreement_lines(empty, LABELS, most=5)).startswith("0 sentences")
    assert agreement_svg(empty).startswith("<svg")


def test_the_view_and_the_drawing_say_the_same() -> None:
    """The table names types in words; the drawing holds no text of a note."""
    found = disputes_in([annotation("咽部充血，头痛")])
    text = "\n".join(agreement_lines(found, LABELS, most=5))
    for word in ("a / b", "33.3%", "临床表现 咽部充血", "house@3"):
        assert word in text
    drawing = agreement_svg(found)
    assert "33.3% (1 of 3)" in drawing
    assert "充血" not in drawing
