"""Samples for a filter: half right, half nearly right."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from medner.core.records import Entity
from medner.training.filters.negatives import (
    GoldSentence,
    LabelledCandidate,
    sampled,
    wrong_ends,
    wrong_starts,
    wrong_types,
)

CODES = ("dis", "sym", "bod")


@st.composite
def sentences(draw: st.DrawFn) -> GoldSentence:
    """A sentence with entities anywhere in it, nested, crossing and of several types."""
    text = draw(st.text(alphabet="头痛咳嗽发热𠮷。", min_size=1, max_size=12))
    spans = st.tuples(st.integers(0, len(text) - 1), st.integers(1, len(text)), st.sampled_from(CODES))
    found = draw(st.lists(spans, max_size=6))
    return GoldSentence(text, frozenset(Entity(s, e, label) for s, e, label in found if s < e))


def gold_of(texts: list[GoldSentence]) -> dict[str, set[Entity]]:
    gold: dict[str, set[Entity]] = {}
    for sentence in texts:
        gold.setdefault(sentence.text, set()).update(sentence.gold)
    return gold


@given(st.lists(sentences(), max_size=6), st.integers(2, 60), st.integers(0, 3))
def test_samples_are_what_they_say(texts: list[GoldSentence], samples: int, seed: int) -> None:
    """Right ones are gold, wrong ones are not, all lie in their sentence; none twice; never more wrong than right."""
    made = sampled(texts, CODES, samples=samples, seed=seed)
    gold = gold_of(texts)
    assert len(made) <= samples
    assert len(set(made)) == len(made)
    for one in made:
        assert one.entity.end <= len(one.sentence)
        assert (one.entity in gold[one.sentence]) == one.right
    counts = Counter(one.right for one in made)
    assert counts[True] == min(samples // 2, sum(map(len, gold.values())))
    assert counts[False] <= counts[True]
    assert made == sampled(texts, CODES, samples=samples, seed=seed)


@given(sentences())
def test_a_wrong_candidate_is_one_change_away(sentence: GoldSentence) -> None:
    """One boundary moved by 1 or 2 characters, or another type; never gold, never outside."""
    for entity in sentence.gold:
        starts = wrong_starts(sentence, entity, CODES)
        ends = wrong_ends(sentence, entity, CODES)
        types = wrong_types(sentence, entity, CODES)
        assert all(abs(one.start - entity.start) in (1, 2) and one.end == entity.end for one in starts)
        assert all(abs(one.end - entity.end) in (1, 2) and one.start == entity.start for one in ends)
        assert all(one.span == entity.span and one.label != entity.label for one in types)
        assert not {*starts, *ends, *types} & sentence.gold
        assert all(one.end <= len(sentence.text) for one in ends)


def test_the_three_kinds_are_about_equally_frequent() -> None:
    """A third of the wrong ones has another start, a third another end, a third another type."""
    texts = [GoldSentence(f"今日患者自觉头痛明显{number}分", frozenset({Entity(6, 8, "sym")})) for number in range(600)]
    wrong = [one.entity for one in sampled(texts, CODES, samples=1_200, seed=1) if not one.right]
    kinds = Counter((one.start != 6, one.end != 8, one.label != "sym") for one in wrong)
    assert sum(kinds.values()) == 600
    assert all(140 < count < 260 for count in kinds.values())
    assert len(kinds) == 3


def test_the_seed_decides() -> None:
    """Another seed draws other samples."""
    texts = [GoldSentence(f"头痛{number}天", frozenset({Entity(0, 2, "sym")})) for number in range(50)]
    assert sampled(texts, CODES, samples=20, seed=1) != sampled(texts, CODES, samples=20, seed=2)


def test_a_sentence_whose_wrong_candidates_run_out_gives_what_there_is() -> None:
    """One character, one type: nothing near it is wrong, so there is the right one alone."""
    assert sampled([GoldSentence("痛", frozenset({Entity(0, 1, "sym")}))], ("sym",), samples=10, seed=1) == (
        LabelledCandidate("痛", Entity(0, 1, "sym"), True),
    )
