"""The rules that settle a conflict without a model."""

from dataclasses import replace

import pytest

from medner.agents.judges.judge import BestTagger, FilterScore, HardVote, fall_back
from medner.core.records import Entity, Fallback

TEXT = "右肺上叶腺癌术后"
CANCER = Entity(0, 6, "dis")
SHORT = Entity(4, 6, "dis")
LOBE = Entity(0, 4, "bod")


async def test_hard_vote_keeps_more_than_half(case_of) -> None:
    """Two of three are a majority, one of three is not; of four, two are not."""
    verdict = await HardVote().judge(case_of(TEXT, {CANCER: "ab", SHORT: "c"}))
    assert (verdict.kept, verdict.dropped) == ((CANCER,), (SHORT,))
    assert (verdict.judge, verdict.mode, verdict.fallback) == ("hard-vote", "vote", None)
    tied = await HardVote().judge(case_of(TEXT, {CANCER: "ab", SHORT: "cd"}, voters="abcd"))
    assert tied.kept == ()


async def test_best_tagger_keeps_what_it_said(case_of) -> None:
    """The votes of the others do not count."""
    case = case_of(TEXT, {CANCER: "ab", SHORT: "c", LOBE: "c"})
    verdict = await BestTagger("c").judge(case)
    assert verdict.kept == (LOBE, SHORT)
    assert verdict.judge == "best-tagger:c"
    assert (await BestTagger("b").judge(case)).kept == (CANCER,)


async def test_best_tagger_without_an_answer_falls_back(case_of) -> None:
    """A tagger that is not among the voters cannot be followed: the majority decides, and this is recorded."""
    verdict = await BestTagger("d").judge(case_of(TEXT, {CANCER: "ab", SHORT: "c"}))
    assert verdict.kept == (CANCER,)
    assert (verdict.fallback, verdict.fallback_reason) == (Fallback.MAJORITY, "tagger d gave no answer")


async def test_filter_score_keeps_what_is_likely(case_of) -> None:
    """Votes do not count; an inner entity of another type stays beside the outer one."""
    said = {CANCER: "a", SHORT: "b", LOBE: "b"}
    case = case_of(TEXT, said, scores={CANCER: 0.6, SHORT: 0.59, LOBE: 0.5})
    verdict = await FilterScore().judge(case)
    assert (verdict.kept, verdict.dropped) == ((CANCER, LOBE), (SHORT,))
    assert verdict.mode == "filter-score"
    assert (await FilterScore(least=0.65).judge(case)).kept == ()


async def test_filter_score_without_scores_falls_back(case_of) -> None:
    """Where a candidate has no score the majority decides, and this is recorded."""
    verdict = await FilterScore().judge(case_of(TEXT, {CANCER: "ab", SHORT: "c"}, scores={CANCER: 0.1}))
    assert verdict.kept == (CANCER,)
    assert (verdict.fallback, verdict.fallback_reason) == (Fallback.MAJORITY, "the filter gave no score")


def test_the_fallback_rule_asks_scores_only_in_a_tie(case_of) -> None:
    """A majority needs no score; a tied candidate needs .5; without a score it is dropped."""
    said = {CANCER: "a", SHORT: "b", LOBE: "ab"}
    case = case_of(TEXT, said, voters="ab", scores={CANCER: 0.5, SHORT: 0.49, LOBE: 0.1})
    verdict = fall_back(HardVote(), case, "why")
    assert (verdict.kept, verdict.dropped) == ((CANCER, LOBE), (SHORT,))
    assert (verdict.fallback, verdict.fallback_reason) == (Fallback.FILTER_SCORE, "why")
    unscored = fall_back(HardVote(), case_of(TEXT, said, voters="ab"), "why")
    assert (unscored.kept, unscored.fallback) == ((LOBE,), Fallback.MAJORITY)


def test_a_minority_is_not_saved_by_its_score(case_of) -> None:
    """One of three voters is no tie."""
    verdict = fall_back(HardVote(), case_of(TEXT, {SHORT: "a"}, scores={SHORT: 0.99}), "why")
    assert (verdict.kept, verdict.fallback) == ((), Fallback.MAJORITY)


@pytest.mark.parametrize(
    ("said", "scores", "kept"),
    [
        ({CANCER: "abc", SHORT: "ab"}, {}, CANCER),  # more votes
        ({CANCER: "ab", SHORT: "ab"}, {CANCER: 0.6, SHORT: 0.7}, SHORT),  # then the score
        ({CANCER: "ab", SHORT: "ab"}, {}, CANCER),  # then what stands further left
        ({Entity(0, 4, "dis"): "ab", CANCER: "ab"}, {}, CANCER),  # then what is longer
    ],
)
async def test_in_a_flat_set_the_better_one_is_kept(case_of, said, scores, kept) -> None:
    """Of wanted entities that overlap one survives, the others are dropped."""
    case = case_of(TEXT, said, scores=scores, label_set="ccks2019")
    for verdict in (
        await HardVote().judge(case),
        await BestTagger("a").judge(case),
        fall_back(HardVote(), case, "why"),
    ):
        assert verdict.kept == (kept,)
        assert set(verdict.dropped) == said.keys() - {kept}


async def test_in_a_flat_set_agreed_entities_come_first(case_of) -> None:
    """What overlaps an agreed entity is not kept, whoever said it; neighbours that only touch are."""
    case = case_of(TEXT, {CANCER: "ab", SHORT: "ab"}, context=(Entity(0, 4, "dru"),), label_set="ccks2019")
    assert (await HardVote().judge(case)).kept == (SHORT,)


async def test_in_a_nested_set_overlaps_survive(case_of) -> None:
    """Where entities may nest, a vote is all that counts."""
    case = case_of(TEXT, {CANCER: "ab", LOBE: "ab"}, context=(Entity(0, 8, "sym"),))
    assert (await HardVote().judge(case)).kept == (CANCER, LOBE)


async def test_where_the_label_set_names_outer_types_others_hold_nothing(case_of) -> None:
    """A body part inside a disease: the one with more votes stays, by score the likelier one."""
    case = case_of(TEXT, {CANCER: "ab", LOBE: "abc"}, scores={CANCER: 0.9, LOBE: 0.8}, outer=("sym",))
    assert (await HardVote().judge(case)).kept == (LOBE,)
    assert (await FilterScore().judge(case)).kept == (CANCER,)
    assert (await FilterScore().judge(replace(case, labels=replace(case.labels, outer=("dis",))))).kept == (
        CANCER,
        LOBE,
    )


async def test_a_rule_has_no_prompt(case_of) -> None:
    """Nobody is asked, so neither a prompt nor exemplars are on record."""
    case = case_of(TEXT, {CANCER: "ab"})
    verdict = await HardVote().judge(case)
    assert verdict.prompt == HardVote().prompt(case) == BestTagger("a").prompt(case) == ""
    assert verdict.exemplars == ()
