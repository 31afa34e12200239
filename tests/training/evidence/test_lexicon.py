"""Counting the strings of annotated sentences."""

from hypothesis import given
from hypothesis import strategies as st

from medner.agents.evidence.lexicon import StringCounts
from medner.core.labels import load_label_set
from medner.core.records import Document, Entity
from medner.training.evidence.lexicon import count_strings, sentence_counts

LABELS = load_label_set("cmeee-v2")
TYPES = len(LABELS.codes)


def row(**found: int) -> tuple[int, ...]:
    return tuple(found.get(code, 0) for code in LABELS.codes)


SORE = Document("a", "咽部充血，咽痛", (Entity(0, 4, "sym"), Entity(0, 2, "bod"), Entity(5, 7, "sym")))
PLAIN = Document("b", "咽部充血，咽部", (Entity(0, 4, "sym"),))


def test_free_and_inside_occurrences_are_counted_apart() -> None:
    """Of 咽部, one lies in a longer entity and is one, one lies in a longer entity and is none, one is free."""
    counts = count_strings([SORE, PLAIN], [], LABELS)
    assert counts["咽部"] == StringCounts(1, 2, row(), row(bod=1))
    assert counts["咽部充血"] == StringCounts(2, 0, row(sym=2), row())
    assert counts["咽痛"] == StringCounts(1, 0, row(sym=1), row())
    assert set(counts) == {"咽部", "咽部充血", "咽痛"}


def test_a_partial_annotation_says_nothing_about_what_it_may_lack() -> None:
    """咽部 inside 咽部充血 is not annotated there: it counts neither for nor against."""
    assert count_strings([SORE], [PLAIN], LABELS)["咽部"] == StringCounts(1, 1, row(), row(bod=1))


def test_equal_stretches_and_repetitions_count_each() -> None:
    """Two types on a stretch are two entities and one occurrence; overlapping occurrences are all counted."""
    twice = Document("c", "痛痛痛", (Entity(0, 2, "sym"), Entity(0, 2, "dis")))
    assert count_strings([twice], [], LABELS)["痛痛"] == StringCounts(2, 0, row(sym=1, dis=1), row())


@st.composite
def sentences(draw: st.DrawFn) -> Document:
    text = draw(st.text("咽痛充血", min_size=1, max_size=12))
    places = st.tuples(
        st.integers(0, len(text) - 1), st.integers(1, len(text)), st.sampled_from(("sym", "bod", "dis"))
    ).filter(lambda one: one[0] < one[1])
    found = draw(st.lists(places, max_size=4, unique=True))
    return Document(text, text, tuple(sorted(Entity(*one) for one in found)))


@given(st.lists(sentences(), min_size=2, max_size=5))
def test_a_corpus_without_a_sentence_is_the_difference(corpus: list[Document]) -> None:
    """What leave-one-out rests on: counts of all, less those of one, are the counts of the others."""
    every = count_strings(corpus, [], LABELS)
    own = sentence_counts(corpus[0], every, LABELS)
    others = count_strings(corpus[1:], [], LABELS)
    for part, counts in others.items():
        assert (every[part] - own[part] if part in own else every[part]) == counts
