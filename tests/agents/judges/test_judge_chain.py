"""Judges in their order: who steps in, what is recorded, and that the rule comes last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.judges.engine_chat_model import EngineChatModel
from medner.agents.judges.judge import Case, HardVote, Renamed, verdict
from medner.agents.judges.judge_chain import JudgeChain
from medner.agents.judges.select import SelectJudge
from medner.core.errors import ExternalError, MednerError, ModelOutputError, UserError
from medner.core.records import Entity, Fallback, Verdict
from tests.agents.judges.conftest import make_case

TEXT = "右肺上叶腺癌术后伴咳嗽"
CANCER, SHORT, COUGH = Entity(0, 6, "dis"), Entity(4, 6, "dis"), Entity(9, 11, "sym")


@dataclass
class Named:
    """A judge that keeps everything, or fails as it is told."""

    name: str
    error: MednerError | None = None
    version: str = "3"
    asked: list[str] = field(default_factory=list)

    async def judge(self, case: Case) -> Verdict:
        self.asked.append(case.conflict.id)
        if self.error is not None:
            raise self.error
        return verdict(self, case, {one.entity for one in case.conflict.candidates}, mode="all")

    def prompt(self, case: Case) -> str:
        return f"asked by {self.name}"


def select(answer: str, **settings: Any) -> tuple[SelectJudge, ScriptedEngine]:
    engine = ScriptedEngine(lambda _: answer)
    return SelectJudge(EngineChatModel(engine=engine, model_name="m"), "m", **settings), engine


async def test_the_first_decides() -> None:
    """Those behind it are not asked."""
    first, second = Named("first"), Named("second")
    (settled,) = await JudgeChain((first, second)).settle([make_case(TEXT, {CANCER: "a"})])
    assert (settled.verdict.judge, settled.verdict.tried, settled.error) == ("first", (), None)
    assert second.asked == []


async def test_a_judge_that_is_down_is_stepped_in_for() -> None:
    """The verdict names who decided and, with reason and raw answer, who could not."""
    judge_chain = JudgeChain(
        (Named("down", ExternalError("no answer")), Named("odd", ModelOutputError("prose", raw="好")), HardVote())
    )
    (settled,) = await judge_chain.settle([make_case(TEXT, {CANCER: "ab", SHORT: "c"})])
    found = settled.verdict
    assert (found.judge, found.kept, found.fallback) == ("hard-vote", (CANCER,), None)
    assert [(one.judge, one.judge_version, one.reason, one.answer) for one in found.tried] == [
        ("down", "3", "no answer", ""),
        ("odd", "3", "prose", "好"),
    ]
    assert settled.error is None


async def test_where_none_can_the_rule_decides() -> None:
    """Under the name of the judge that should have, with its prompt; the others are named beside."""
    judge_chain = JudgeChain((Named("down", ExternalError("no answer")), Named("too", ExternalError("gone"))))
    (settled,) = await judge_chain.settle([make_case(TEXT, {CANCER: "ab", SHORT: "c"})])
    found = settled.verdict
    assert (found.judge, found.fallback, found.fallback_reason) == ("down", Fallback.MAJORITY, "no answer")
    assert found.prompt == "asked by down"
    assert [one.judge for one in found.tried] == ["too"]
    assert (str(settled.error), settled.judge) == ("gone", "too")


async def test_each_conflict_goes_its_own_way() -> None:
    """One that the first cannot settle does not take the sentence's others with it."""

    class Picky(Named):
        async def judge(self, case: Case) -> Verdict:
            if case.conflict.id == "c1":
                raise ModelOutputError("unclear", raw="?")
            return await super().judge(case)

    cases = [make_case(TEXT, {CANCER: "a"}), make_case(TEXT, {COUGH: "b"}, conflict_id="c1")]
    settled = await JudgeChain((Picky("picky"), HardVote())).settle(cases)
    assert [one.verdict.judge for one in settled] == ["picky", "hard-vote"]


async def test_joint_conflicts_are_one_question() -> None:
    """Candidates are numbered through; each verdict gets its own share and the whole prompt and answer."""
    judge, engine = select("1,3", joint=True)
    cases = [make_case(TEXT, {CANCER: "a", SHORT: "b"}), make_case(TEXT, {COUGH: "b"}, conflict_id="c1")]
    first, second = [one.verdict for one in await JudgeChain((judge,)).settle(cases)]
    assert (first.conflict_id, first.kept, first.dropped) == ("c0", (CANCER,), (SHORT,))
    assert (second.conflict_id, second.kept, second.dropped) == ("c1", (COUGH,), ())
    assert len(engine.requests) == 1
    assert first.prompt == second.prompt
    for line in ("1. 疾病：右肺上叶腺癌", "2. 疾病：腺癌", "3. 临床表现：咳嗽"):
        assert line in first.prompt


async def test_one_by_one_is_the_default() -> None:
    """Two conflicts, two questions."""
    judge, engine = select("1")
    cases = [make_case(TEXT, {CANCER: "a"}), make_case(TEXT, {COUGH: "b"}, conflict_id="c1")]
    await JudgeChain((judge,)).settle(cases)
    assert len(engine.requests) == 2


async def test_a_joint_answer_that_cannot_be_used_goes_down_the_bench() -> None:
    """For each conflict apart, and each says why."""
    judge, _ = select("1，9", joint=True)
    cases = [make_case(TEXT, {CANCER: "ab"}), make_case(TEXT, {COUGH: "c"}, conflict_id="c1")]
    settled = await JudgeChain((judge, HardVote())).settle(cases)
    assert [one.verdict.kept for one in settled] == [(CANCER,), ()]
    assert all("a number is not from 1 to 2" in one.verdict.tried[0].reason for one in settled)
    alone = await JudgeChain((judge,)).settle(cases)
    assert [one.verdict.fallback for one in alone] == [Fallback.MAJORITY] * 2
    assert all(one.verdict.answer == "1，9" for one in alone)


async def test_a_rule_under_ones_own_name() -> None:
    """Registered rules carry their registered name and version."""
    found = await Renamed(HardVote(), "house-rule", "7").judge(make_case(TEXT, {CANCER: "ab"}))
    assert (found.judge, found.judge_version, found.mode) == ("house-rule", "7", "vote")


async def test_a_judge_that_keeps_no_candidate_is_refused() -> None:
    """What is kept must be entities of candidates; else it would be lost, and here the next judge decides."""

    class Wrong(Named):
        async def judge(self, case: Case) -> Verdict:
            return verdict(self, case, case.conflict.candidates, mode="all")  # type: ignore[arg-type]

    case = make_case(TEXT, {CANCER: "ab"})
    with pytest.raises(UserError, match=r"judge wrong: keeps Candidate.*keep candidate\.entity"):
        await Wrong("wrong").judge(case)
    (settled,) = await JudgeChain((Wrong("wrong"), HardVote())).settle([case])
    assert (settled.verdict.kept, settled.verdict.tried[0].judge) == ((CANCER,), "wrong")


@pytest.mark.parametrize("answers", [["存疑"], ["<think>难</think>存疑。"]])
async def test_a_select_judge_may_abstain(answers: Sequence[str]) -> None:
    """Where it may, 存疑 leaves the conflict to a person; the majority stands until one decides."""
    judge, engine = select(answers[0], may_abstain=True)
    (settled,) = await JudgeChain((judge, HardVote())).settle([make_case(TEXT, {CANCER: "ab", SHORT: "c"})])
    assert settled.verdict.abstained
    assert settled.verdict.kept == (CANCER,)
    assert settled.verdict.judge == "m"
    assert "存疑" in engine.requests[0].messages[0].content
