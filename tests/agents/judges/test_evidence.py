"""The evidence judge: the filter's score beside what a lexicon says of the strings."""

from collections.abc import Sequence
from typing import Any

import pytest

from medner.agents.evidence.lexicon import Lexicon, StringCounts
from medner.agents.filters.filter import probability
from medner.agents.judges.evidence import READ_LIMIT, Counted, EvidenceJudge, evidence_features
from medner.agents.judges.trees import BoostedTrees
from medner.core.labels import load_label_set
from medner.core.records import Entity, Fallback, Sentence

LABELS = load_label_set("cmeee-v2")
TEXT = "右肺上叶腺癌术后"
CANCER = Entity(4, 6, "dis")
AS_BODY = Entity(4, 6, "bod")
LONG = Entity(0, 6, "dis")
LOBE = Entity(0, 4, "bod")


def row(**found: int) -> tuple[int, ...]:
    return tuple(found.get(code, 0) for code in LABELS.codes)


LEXICON = Lexicon.of(
    LABELS.codes,
    b"salt",
    {"腺癌": StringCounts(20, 0, row(dis=18), row()), "右肺上叶腺癌": StringCounts(3, 0, row(dis=3), row())},
)


#: One tree for the score (2.2 from 65 % on, else 0), one for the string (3 where its type is its usual one, else -3).
TREES = BoostedTrees.from_json(
    {
        "features": ["score", "as type"],
        "depth": 1,
        "roots": [0, 3],
        "feature": [0, -1, -1, 1, -1, -1],
        "threshold": [0.6, 0, 0, 0.0, 0, 0],
        "left": [1, 1, 2, 4, 4, 5],
        "right": [2, 1, 2, 5, 4, 5],
        "value": [0, 0, 2.2, 0, -3, 3],
    }
)


def judge(**changes: Any) -> EvidenceJudge:
    return EvidenceJudge(TREES, LEXICON, "evidence", **changes)


async def test_what_the_corpus_knows_wins_over_what_it_does_not(case_of) -> None:
    """At the same score, the type that the string has 18 of 20 times stays; probabilities and evidence are recorded."""
    case = case_of(TEXT, {CANCER: "a", AS_BODY: "b"}, scores={CANCER: 0.5, AS_BODY: 0.5})
    verdict = await judge().judge(case)
    assert (verdict.kept, verdict.dropped) == ((CANCER,), (AS_BODY,))
    assert (verdict.mode, verdict.judge, verdict.fallback) == ("evidence-1", "evidence", None)
    by_entity = dict(zip((one.entity for one in case.conflict.candidates), verdict.scores, strict=True))
    assert by_entity[CANCER] > 0.85
    assert by_entity[AS_BODY] < 0.1
    assert "腺癌 (dis): occurs 20 times in the corpus, as dis 18" in verdict.prompt


async def test_of_two_that_exclude_one_another_the_likelier_stays(case_of) -> None:
    """Longer and shorter of one type overlap; only one may stay, and the threshold holds."""
    case = case_of(TEXT, {CANCER: "a", LONG: "b"}, scores={CANCER: 0.5, LONG: 0.6})
    kept = (await judge().judge(case)).kept
    assert len(kept) == 1
    assert (await judge(threshold=0.999).judge(case)).kept == ()


async def test_without_a_filter_score_the_fallback_decides(case_of) -> None:
    """One candidate without a score is enough."""
    verdict = await judge().judge(case_of(TEXT, {CANCER: "ab", LOBE: "c"}, scores={CANCER: 0.5}))
    assert (verdict.fallback, verdict.kept) == (Fallback.MAJORITY, (CANCER,))


class Reads:
    """What a larger model thinks: sure of one candidate, and that the others are none."""

    name = "large"

    async def logits(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        assert sentence.text == TEXT
        return [4.0 if entity == AS_BODY else -40.0 for entity in entities]


async def test_a_model_that_reads_counts_twice_what_the_taggers_think(case_of) -> None:
    """The trees see the mean of both and both apart, cut where training data ends; the record says what it read."""
    case = case_of(TEXT, {CANCER: "a", AS_BODY: "b"}, scores={CANCER: 0.5, AS_BODY: 0.5})
    entities = [one.entity for one in case.conflict.candidates]
    logits = await Reads().logits(case.sentence, entities)
    found = dict(zip(entities, evidence_features(case, Counted(LEXICON), logits), strict=True))
    assert found[CANCER]["score"] == pytest.approx(-4.0)
    assert found[AS_BODY]["score"] == pytest.approx(8 / 3)
    assert (found[CANCER]["taggers"], found[CANCER]["reader"]) == (0.0, -READ_LIMIT)
    assert found[CANCER]["rival"] == pytest.approx(probability(8 / 3, 1.0))
    verdict = await judge(reader=Reads()).judge(case)
    assert verdict.mode == "evidence-read-1"
    assert "腺癌 (bod): occurs 20 times in the corpus, as dis 18; read as 0.98" in verdict.prompt
    before = await judge().judge(case)
    scored = dict(zip(entities, zip(before.scores, verdict.scores, strict=True), strict=True))
    assert scored[AS_BODY][0] < scored[AS_BODY][1]


async def test_it_abstains_where_it_is_told_to(case_of) -> None:
    """A probability between the two leaves the conflict to a person, and is in the verdict."""
    case = case_of(TEXT, {LOBE: "a"}, scores={LOBE: 0.73})
    verdict = await judge(abstain=(0.2, 0.4)).judge(case)
    assert verdict.abstained
    assert 0.2 < verdict.scores[0] < 0.4
    assert not (await judge(abstain=(0.4, 0.6)).judge(case)).abstained


def test_a_sentence_does_not_know_its_own_answer(case_of) -> None:
    """Without its own counts, a string that occurs nowhere else is one that was never seen."""
    case = case_of(TEXT, {LONG: "a"}, scores={LONG: 0.5})
    (known,) = evidence_features(case, Counted(LEXICON))
    (left,) = evidence_features(case, Counted(LEXICON, {"右肺上叶腺癌": StringCounts(3, 0, row(dis=3), row())}))
    assert "unseen" not in known
    assert left["unseen"] == 1.0
    assert known["seen"] > 0


def test_features_do_not_depend_on_the_order_of_candidates(case_of) -> None:
    """Nor on who proposed them: evidence knows no votes."""
    scores = {CANCER: 0.5, LONG: 0.6, LOBE: 0.7}
    one = case_of(TEXT, {CANCER: "a", LONG: "b", LOBE: "c"}, scores=scores)
    other = case_of(TEXT, {LOBE: "ab", LONG: "c", CANCER: "abc"}, scores=scores)
    assert evidence_features(one, Counted(LEXICON)) == evidence_features(other, Counted(LEXICON))


def test_rivals_and_what_stands_around_are_told_apart(case_of) -> None:
    """An agreed entity around the candidate counts as all but certain; a rival is what excludes it."""
    case = case_of(TEXT, {CANCER: "a", AS_BODY: "b"}, scores={CANCER: 0.4, AS_BODY: 0.3}, context=(LONG,))
    rows = evidence_features(case, Counted(LEXICON))
    found = dict(zip((one.entity for one in case.conflict.candidates), rows, strict=True))
    assert found[CANCER]["around it"] == found[CANCER]["rival"] == 0.98
    assert found[AS_BODY]["same stretch"] == 0.4
