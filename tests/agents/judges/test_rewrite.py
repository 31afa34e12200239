"""The rewrite judge: reads the symbol strategy for the disputed stretch, corrects boundaries, invents nothing."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.judges.engine_chat_model import EngineChatModel
from medner.agents.judges.rewrite import RewriteJudge, stretch_of
from medner.agents.prompts.templates import load_template
from medner.agents.strategies import Automaton
from medner.core.errors import ModelOutputError
from medner.core.records import Entity, Span

TEXT = "患者右肺上叶腺癌术后复查，无咳嗽"
WHOLE = Entity(2, 8, "dis")
SHORT = Entity(6, 8, "dis")
LOBE = Entity(2, 6, "bod")


def judge(answer: str | Callable[[object], str], **settings: Any) -> tuple[RewriteJudge, ScriptedEngine]:
    engine = ScriptedEngine(answer if callable(answer) else lambda _: answer)
    return RewriteJudge(EngineChatModel(engine=engine, model_name="m"), "m", **settings), engine


async def test_candidates_are_kept_or_dropped(case_of) -> None:
    """What is written again and marked is kept; the prompt, the raw answer and the template's version are recorded."""
    case = case_of(TEXT, {WHOLE: "a", SHORT: "b", LOBE: "a"})
    made, engine = judge("疾病：患者[右肺上叶腺癌]术后复查\n身体：患者[右肺上叶]腺癌术后复查")
    verdict = await made.judge(case)
    assert (verdict.kept, verdict.dropped, verdict.added) == ((WHOLE, LOBE), (SHORT,), ())
    assert verdict.mode == "rewrite-direct-1"
    assert verdict.answer.startswith("疾病：")
    asked = engine.requests[0]
    assert "片段：患者右肺上叶腺癌术后复查\n" in verdict.prompt
    assert asked.graph is not None
    assert Automaton(asked.graph).accepts(verdict.answer)


async def test_a_boundary_can_be_corrected(case_of) -> None:
    """An entity nobody proposed is added when it touches the disputed stretch, a few characters beyond it too."""
    case = case_of(TEXT, {WHOLE: "a", SHORT: "b"})
    made, _ = judge("疾病：患者[右肺上叶腺癌术后]复查")
    verdict = await made.judge(case)
    assert (verdict.kept, verdict.dropped, verdict.added) == ((), (WHOLE, SHORT), (Entity(2, 10, "dis"),))


async def test_what_does_not_touch_the_stretch_is_not_in_question(case_of) -> None:
    """Neither entities in the margin nor settled ones change anything."""
    case = case_of(TEXT, {WHOLE: "a"}, context=(LOBE,))
    made, _ = judge("疾病：患者右肺上叶腺癌术后[复查]\n身体：患者[右肺上叶]腺癌术后复查")
    verdict = await made.judge(case)
    assert (verdict.kept, verdict.added) == ((), ())


@pytest.mark.parametrize("answer", ["无", "无。", "", "<think>都不对</think>无"])
async def test_nothing_is_an_answer(case_of, answer: str) -> None:
    """No entity: the word for it, or no line at all."""
    verdict = await judge(answer)[0].judge(case_of(TEXT, {WHOLE: "a"}))
    assert (verdict.kept, verdict.dropped) == ((), (WHOLE,))


@pytest.mark.parametrize(
    "answer",
    [
        "疾病：患者[左肺下叶腺癌]术后复查",
        "疾病：患者[右肺上叶腺癌]术后复查，并发[肺栓塞]",
        "药物：患者[右肺上叶腺癌]术后复查",
        "右肺上叶腺癌是疾病",
        "疾病：患者[右肺上叶腺癌",
        "<think>还在想",
    ],
)
async def test_an_answer_that_strays_is_refused_whole(case_of, answer: str) -> None:
    """Another text, a type that is not at stake, prose, a line that breaks off: none becomes an entity."""
    with pytest.raises(ModelOutputError) as refused:
        await judge(answer)[0].judge(case_of(TEXT, {WHOLE: "a"}))
    assert refused.value.raw == answer


async def test_a_flat_set_allows_no_overlap(case_of) -> None:
    """Two entities of one answer that overlap, or one over a settled one, cannot be used."""
    case = case_of("右肺上叶腺癌", {Entity(0, 6, "dis"): "a", Entity(0, 4, "ana"): "b"}, label_set="ccks2019")
    with pytest.raises(ModelOutputError, match="forbids"):
        await judge("疾病和诊断：[右肺上叶腺癌]\n解剖部位：[右肺上叶]腺癌")[0].judge(case)
    nested = case_of("右肺上叶腺癌", {Entity(0, 6, "dis"): "a", Entity(0, 4, "bod"): "b"}, outer=("sym",))
    with pytest.raises(ModelOutputError, match="forbids"):
        await judge("疾病：[右肺上叶腺癌]\n身体：[右肺上叶]腺癌")[0].judge(nested)


@settings(deadline=None)
@given(st.text(alphabet="患者右肺上叶腺癌疾病身体：[]\\\n无<think>/答案", max_size=60))
async def test_whatever_is_answered_nothing_is_invented(answer: str) -> None:
    """Any answer is refused, or gives entities whose text stands in the sentence at that place."""
    from tests.agents.judges.conftest import make_case

    case = make_case(TEXT, {WHOLE: "a", LOBE: "b"})
    with suppress(ModelOutputError):
        verdict = await judge(answer)[0].judge(case)
        for entity in (*verdict.kept, *verdict.added):
            assert entity.text_in(TEXT)
            assert entity.span.overlaps(case.conflict.region)
            assert entity.label in {"dis", "bod"}


def test_the_stretch_holds_what_is_settled(case_of) -> None:
    """The region, the agreed entities that overlap it, and four characters around, inside the sentence."""
    assert stretch_of(case_of(TEXT, {SHORT: "a"}, context=(LOBE,))) == Span(0, 12)
    assert stretch_of(case_of("咳嗽", {Entity(0, 2, "sym"): "a"})) == Span(0, 2)


async def test_step_by_step_reasons_first(case_of) -> None:
    """A model of ours reasons freely, then answers within the grammar; both stand in the record."""
    answers = iter(["1. 右肺上叶是部位。", "疾病：患者[右肺上叶腺癌]术后复查"])
    made, engine = judge(lambda _: next(answers), template=load_template("rewrite", "step-by-step"))
    verdict = await made.judge(case_of(TEXT, {WHOLE: "a"}))
    assert verdict.kept == (WHOLE,)
    assert verdict.answer == "1. 右肺上叶是部位。\n答案：疾病：患者[右肺上叶腺癌]术后复查"
    assert [request.graph is None for request in engine.requests] == [True, False]
    assert engine.requests[1].messages[-2].content == "1. 右肺上叶是部位。"


async def test_it_may_leave_the_decision_to_a_person(case_of) -> None:
    """存疑 is an answer only where it was offered."""
    case = case_of(TEXT, {WHOLE: "ab", SHORT: "c"})
    verdict = await judge("存疑", may_abstain=True)[0].judge(case)
    assert verdict.abstained
    assert verdict.kept == (WHOLE,)  # the majority, until a person decides
    with pytest.raises(ModelOutputError):
        await judge("存疑")[0].judge(case)
