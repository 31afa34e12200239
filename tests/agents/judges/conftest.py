"""Shared by the tests of the judges: cases made from a text and what each tagger says."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from medner.agents.judges.judge import Case
from medner.core.labels import load_label_set
from medner.core.records import Candidate, Conflict, ConflictKind, Entity, Exemplar, Sentence, Span, in_order


def make_case(
    text: str,
    said: dict[Entity, str],
    *,
    voters: str = "abc",
    scores: dict[Entity, float] | None = None,
    context: tuple[Entity, ...] = (),
    label_set: str = "cmeee-v2",
    exemplars: tuple[Exemplar, ...] = (),
    conflict_id: str = "c0",
    outer: tuple[str, ...] | None = None,
) -> Case:
    """A case: who said what about a text, in one conflict that holds all of it; in a nested set, nested anywhere."""
    ordered = in_order(said)
    candidates = tuple(Candidate(e, tuple(sorted(said[e])), (scores or {}).get(e)) for e in ordered)
    region = Span(min(e.start for e in ordered), max(e.end for e in ordered))
    conflict = Conflict(conflict_id, region, ConflictKind.OVERLAP_OTHER_TYPE, candidates, context)
    sentence = Sentence("note#0", text, 0, "note")
    return Case(sentence, conflict, replace(load_label_set(label_set), outer=outer), tuple(sorted(voters)), exemplars)


@pytest.fixture(scope="session")
def case_of() -> Callable[..., Case]:
    """Makes a case."""
    return make_case
