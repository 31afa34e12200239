"""Agents that fail: what becomes a record, what the fallback rule decides, what ends the run."""

import pytest

from medner.agents.judges.judge import BestTagger
from medner.core.errors import ExternalError, ModelOutputError, UserError
from medner.core.records import TOO_FEW_TAGGERS, Decision, Fallback
from medner.graph import Deps
from tests.graph.sentence_kit import NODE, PART, PHARYNGITIS, THROAT, WHOLE, A, B, C, ScoreTable, annotate, found


@pytest.mark.parametrize("error", [ExternalError("no answer from the server"), ModelOutputError("odd", raw="???")])
async def test_a_failed_tagger_is_a_record(labels, scripted_tagger, error) -> None:
    """The others go on; the failure names stage, agent and kind and keeps the raw answer."""
    annotation = await annotate(Deps(labels, (scripted_tagger("a", error), scripted_tagger("b", C))))
    assert annotation.complete
    assert found(annotation) == [WHOLE, NODE, THROAT, PHARYNGITIS]
    (failure,) = annotation.failures
    assert (failure.stage, failure.agent, failure.kind) == ("tag", "a", type(error).__name__)
    assert failure.message == str(error)
    assert failure.raw == getattr(error, "raw", "")
    assert [output.tagger for output in annotation.outputs] == ["b"]
    assert "tag:a" in annotation.timings


@pytest.mark.parametrize("answered", [0, 1])
async def test_too_few_taggers_fail_the_sentence(labels, scripted_tagger, answered: int) -> None:
    """Below `min_taggers` there is no result, what was answered is kept, and the sentence is not complete."""
    lost = ExternalError("gone")
    taggers = tuple(scripted_tagger(name, C if n < answered else lost) for n, name in enumerate("abc"))
    annotation = await annotate(Deps(labels, taggers, min_taggers=2))
    assert not annotation.complete
    assert annotation.entities == ()
    assert annotation.conflicts == ()
    assert len(annotation.outputs) == answered
    (failed,) = [failure for failure in annotation.failures if failure.kind == TOO_FEW_TAGGERS]
    assert failed.message == f"{answered} of 3 taggers answered; at least 2 must"
    assert len(annotation.failures) == 4 - answered
    assert set(annotation.timings) == {"tag:a", "tag:b", "tag:c", "filter", "detect_conflicts", "merge"}


async def test_nothing_found_is_not_a_failure(labels, scripted_tagger) -> None:
    """A sentence without entities is complete and empty."""
    annotation = await annotate(Deps(labels, (scripted_tagger("a", []), scripted_tagger("b", []))))
    assert annotation.complete
    assert annotation.entities == ()
    assert annotation.failures == ()


async def test_a_users_mistake_ends_the_run(labels, scripted_tagger) -> None:
    """A UserError of a tagger comes out as it is."""
    wrong = UserError("no adapter 'x' is loaded")
    with pytest.raises(UserError) as raised:
        await annotate(Deps(labels, (scripted_tagger("a", wrong), scripted_tagger("b", C))))
    assert str(raised.value) == "no adapter 'x' is loaded"


@pytest.mark.parametrize(
    "scores",
    [ExternalError("gone"), ModelOutputError("odd", raw="?"), {THROAT: float("nan")}, {THROAT: 1.5}],
)
async def test_a_failed_filter_keeps_every_candidate(labels, scripted_tagger, scores) -> None:
    """No candidate vanishes: neither when the filter fails nor when a score is not a probability."""
    annotation = await annotate(Deps(labels, (scripted_tagger("a", C),), filter=ScoreTable(scores)))
    assert found(annotation) == C
    assert annotation.dropped == ()
    (failure,) = annotation.failures
    assert (failure.stage, failure.agent) == ("filter", "table")


@pytest.mark.parametrize("answer", ["我认为都对", "9", "", "<think>1 和 2"])
async def test_an_unusable_answer_falls_back(labels, scripted_tagger, scripted_judge, answer: str) -> None:
    """The stated rule decides; verdict and failure keep the reason, the prompt and the raw answer."""
    judge, engine = scripted_judge(answer)
    taggers = (scripted_tagger("a", A), scripted_tagger("b", B), scripted_tagger("c", C))
    annotation = await annotate(Deps(labels, taggers, judge))
    assert found(annotation) == [WHOLE, NODE, THROAT, PHARYNGITIS]
    verdict = annotation.verdicts[0]
    assert (verdict.kept, verdict.dropped) == ((WHOLE,), (PART,))
    assert (verdict.fallback, verdict.mode, verdict.answer) == (Fallback.MAJORITY, "fallback", answer)
    assert verdict.fallback_reason
    assert all(message.content in verdict.prompt for message in engine.requests[0].messages)
    assert [item.decision for item in annotation.entities if item.conflict_id] == [Decision.FALLBACK] * 2
    failures = {(failure.stage, failure.agent, failure.kind, failure.raw) for failure in annotation.failures}
    assert failures == {("judge", "scripted", "ModelOutputError", answer)}


async def test_a_judge_out_of_reach_falls_back(labels, scripted_tagger, scripted_judge) -> None:
    """With two taggers and no filter a tie drops; a filter score of .5 or more keeps, and the verdict says so."""
    judge, _ = scripted_judge(ExternalError("connection refused"))
    taggers = (scripted_tagger("a", [WHOLE, THROAT]), scripted_tagger("b", [PHARYNGITIS]))
    plain = await annotate(Deps(labels, taggers, judge))
    assert plain.entities == ()
    assert {verdict.fallback for verdict in plain.verdicts} == {Fallback.MAJORITY}
    scored = await annotate(Deps(labels, taggers, judge, filter=ScoreTable({WHOLE: 0.3}, threshold=0.1)))
    assert found(scored) == [THROAT, PHARYNGITIS]
    assert {verdict.fallback for verdict in scored.verdicts} == {Fallback.FILTER_SCORE}
    assert all("connection refused" in verdict.fallback_reason for verdict in scored.verdicts)
    assert {failure.kind for failure in scored.failures} == {"ExternalError"}


async def test_following_a_tagger_that_failed(labels, scripted_tagger) -> None:
    """When the best tagger gave no answer, the majority of the others decides, and the verdict says why."""
    taggers = tuple(scripted_tagger(n, said) for n, said in zip("abcd", [ExternalError("gone"), A, B, C], strict=True))
    annotation = await annotate(Deps(labels, taggers, BestTagger("a")))
    assert found(annotation) == [WHOLE, NODE, THROAT, PHARYNGITIS]
    assert {verdict.fallback_reason for verdict in annotation.verdicts} == {"tagger a gave no answer"}
    followed = await annotate(Deps(labels, taggers, BestTagger("c")))
    # PART crosses NODE, which all gave: the label set forbids it.
    assert found(followed) == [NODE, THROAT, PHARYNGITIS]
