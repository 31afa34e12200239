"""The select judge: which answers it reads, which it refuses, and what its grammar allows."""

from collections.abc import Callable
from contextlib import suppress
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.judges.engine_chat_model import EngineChatModel
from medner.agents.judges.select import SelectionGraph, SelectJudge, exclusions, read_numbers
from medner.agents.strategies import Automaton
from medner.core.errors import ExternalError, ModelOutputError, UserError
from medner.core.records import Entity, Exemplar

TEXT = "右肺上叶腺癌术后"
CANCER = Entity(0, 6, "dis")
SHORT = Entity(4, 6, "dis")
LOBE = Entity(0, 4, "bod")


class Provider(BaseChatModel):
    """Another provider's chat model: knows no grammar, says what the script says."""

    reply: Callable[[], AIMessage]
    asked: list[Any] = []  # noqa: RUF012  a pydantic field: each model gets its own

    @property
    def _llm_type(self) -> str:
        return "provider"

    def _generate(self, messages: list[BaseMessage], stop=None, run_manager=None, **kwargs: Any) -> ChatResult:
        self.asked.append((messages, kwargs))
        return ChatResult(generations=[ChatGeneration(message=self.reply())])


def provider(content: Any, **metadata: Any) -> SelectJudge:
    return SelectJudge(Provider(reply=lambda: AIMessage(content, response_metadata=metadata)), "provider", "7")


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        ("2", [2]),
        ("1,3", [1, 3]),
        ("3，1", [1, 3]),
        ("１，３", [1, 3]),
        ("1、3。", [1, 3]),
        ("编号：1、3", [1, 3]),
        ("正确的编号：2", [2]),
        ("正确候选实体的编号是 1 和 2", [1, 2]),
        ("答案: 2.", [2]),
        ("“1”", [1]),
        ("1\n2\n", [1, 2]),
        ("2,2", [2]),
        ("12", [12]),
        ("无", []),
        ("无。", []),
        ("编号：无", []),
        ("0", []),
        ("０", []),
        ("<think>1 像是，2 不是。</think>\n1", [1]),
        ("<think></think><think>再想\n3</think> 2", [2]),
        ("模板已打开思考，只看得到结尾：1 不对</think>2", [2]),
        ("<think>一</think>二</think>3", [3]),
    ],
)
def test_answers_that_are_read(answer: str, numbers: list[int]) -> None:
    """Numbers in rising order, each once, whatever digits, separators and thinking stand around them."""
    assert read_numbers(answer, 12) == numbers


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "   ",
        "13",
        "0,1",
        "-1",
        "1.5",
        "1至3",
        "①",
        "①③",
        "我认为是1",
        "1 是对的",
        "1. 疾病：腺癌",
        "1,",
        ",1",
        "1，无",
        "无1",
        "<think>应该是 1",
        "<think>一</think>1<think>2",
        "1<think>想完了</think>还是 2",
        "</think>",
        "9" * 5_000,
        "1," * 2_000,
    ],
)
def test_answers_that_are_refused(answer: str) -> None:
    """Nothing is guessed at: the error keeps the whole answer."""
    with pytest.raises(ModelOutputError) as refused:
        read_numbers(answer, 12)
    assert refused.value.raw == answer


@given(st.text(alphabet="0123456789１２,，、和 无。<think></think>编号：\n", max_size=30), st.integers(1, 12))
def test_any_answer_is_read_or_refused(answer: str, count: int) -> None:
    """Reading never breaks, and what it gives are rising numbers of candidates."""
    numbers: list[int] = []
    with suppress(ModelOutputError):
        numbers = read_numbers(answer, count)
    assert numbers == sorted(set(numbers))
    assert all(1 <= number <= count for number in numbers)


@given(st.integers(1, 25), st.data())
def test_the_grammar_accepts_exactly_rising_lists(count: int, data) -> None:
    """A list of numbers is legal if and only if it rises within the count; and what is legal is read back."""
    automaton = Automaton(SelectionGraph(count))
    numbers = data.draw(st.lists(st.integers(0, count + 2), max_size=6))
    rising = bool(numbers) and all(1 <= number <= count for number in numbers) and numbers == sorted(set(numbers))
    answer = ",".join(map(str, numbers))
    assert automaton.accepts(answer) == rising
    if rising:
        assert read_numbers(answer, count) == numbers


@given(st.integers(1, 12), st.text(alphabet="0123456789, 无", max_size=8))
def test_what_the_grammar_accepts_is_read(count: int, answer: str) -> None:
    """Any legal answer is usable, in the form it would be written in."""
    if Automaton(SelectionGraph(count)).accepts(answer):
        numbers = read_numbers(answer, count)
        assert answer == (",".join(map(str, numbers)) or "无")


def test_none_is_legal_only_alone() -> None:
    """无 stands for the empty list; the empty answer is not legal."""
    automaton = Automaton(SelectionGraph(11))
    assert automaton.accepts("无")
    assert automaton.accepts("1,2,10,11")
    for answer in ("", "无,1", "1,无", "无无", "1,", "10,2", "01", "1, 2"):
        assert not automaton.accepts(answer), answer


@given(st.lists(st.tuples(st.integers(0, 14), st.integers(1, 5)), min_size=1, max_size=5, unique=True), st.data())
def test_in_a_flat_set_the_grammar_keeps_candidates_apart(case_of, spans, data) -> None:
    """A rising list is legal if and only if none of its candidates overlap one another or an agreed entity."""
    said = {Entity(start, start + length, "dis"): "a" for start, length in spans}
    context = (Entity(6, 8, "dru"),) if data.draw(st.booleans()) else ()
    case = case_of("右肺上叶腺癌术后" * 3, said, context=context, label_set="ccks2019")
    candidates = [candidate.entity.span for candidate in case.conflict.candidates]
    automaton = Automaton(SelectionGraph(len(candidates), exclusions(case)))
    for size in range(1, len(candidates) + 1):
        for numbers in combinations(range(1, len(candidates) + 1), size):
            chosen = [candidates[number - 1] for number in numbers]
            apart = not any(one.overlaps(other) for one, other in combinations(chosen, 2))
            apart = apart and not any(one.overlaps(known.span) for one in chosen for known in context)
            assert automaton.accepts(",".join(map(str, numbers))) == apart
    assert automaton.accepts("无")


def test_where_entities_nest_nothing_is_excluded(case_of) -> None:
    """Overlapping candidates may both be right there."""
    assert exclusions(case_of(TEXT, {CANCER: "a", LOBE: "b"}, context=(SHORT,))) == {}
    named = case_of(TEXT, {CANCER: "a", LOBE: "b"}, outer=("sym",))
    assert exclusions(named) == {1: frozenset({2}), 2: frozenset({1})}


async def test_an_engine_is_held_to_the_grammar(case_of) -> None:
    """Our own chat model gets the grammar of the case: three candidates, no fourth."""
    engine = ScriptedEngine(lambda _: "1,3")
    judge = SelectJudge(EngineChatModel(engine=engine, model_name="m"), "local")
    verdict = await judge.judge(case_of(TEXT, {CANCER: "a", LOBE: "b", SHORT: "c"}))
    assert (verdict.kept, verdict.dropped) == ((CANCER, SHORT), (LOBE,))
    (request,) = engine.requests
    assert request.graph is not None
    automaton = Automaton(request.graph)
    assert automaton.accepts("1,2,3")
    assert not automaton.accepts("4")


async def test_a_provider_gets_plain_messages(case_of) -> None:
    """No option of ours is sent to another provider; the verdict records what was asked and said."""
    judge = provider("<think>腺癌更短</think>2，3")
    exemplar = Exemplar("肺炎", "dis", "考虑肺炎。")
    case = case_of(TEXT, {CANCER: "a", LOBE: "b", SHORT: "c"}, exemplars=(exemplar,))
    verdict = await judge.judge(case)
    assert (verdict.kept, verdict.dropped) == ((LOBE, SHORT), (CANCER,))
    assert (verdict.judge, verdict.judge_version, verdict.conflict_id) == ("provider", "7", "c0")
    assert verdict.answer == "<think>腺癌更短</think>2，3"
    assert verdict.exemplars == (exemplar,)
    assert verdict.prompt == judge.prompt(case)
    assert isinstance(judge.chat, Provider)
    ((messages, options),) = judge.chat.asked
    assert [message.type for message in messages] == ["system", "human"]
    assert options == {}
    assert all(str(message.content) in verdict.prompt for message in messages)


async def test_content_in_blocks_is_read(case_of) -> None:
    """Providers that answer in blocks are read by their text."""
    blocks = [{"type": "reasoning", "reasoning": "选 2"}, {"type": "text", "text": "1"}]
    assert (await provider(blocks).judge(case_of(TEXT, {CANCER: "a"}))).kept == (CANCER,)


async def test_a_cut_answer_is_refused(case_of) -> None:
    """`1` may be the beginning of `1,2`: an answer that was cut off says nothing."""
    with pytest.raises(ModelOutputError, match="cut off") as refused:
        await provider("1", finish_reason="length").judge(case_of(TEXT, {CANCER: "a"}))
    assert refused.value.raw == "1"


async def test_overlapping_picks_in_a_flat_set_are_refused(case_of) -> None:
    """A free answer that keeps two overlapping entities, or one that overlaps an agreed one, cannot be used."""
    case = case_of(TEXT, {CANCER: "a", SHORT: "b"}, label_set="ccks2019")
    assert (await provider("2").judge(case)).kept == (SHORT,)
    with pytest.raises(ModelOutputError, match="overlap") as refused:
        await provider("1,2").judge(case)
    assert refused.value.raw == "1,2"
    beside = case_of(TEXT, {CANCER: "a"}, context=(Entity(5, 7, "dru"),), label_set="ccks2019")
    assert (await provider("无").judge(beside)).kept == ()
    with pytest.raises(ModelOutputError, match="overlap"):
        await provider("1").judge(beside)


async def test_a_providers_error_is_outside(case_of) -> None:
    """Whatever a provider raises becomes an ExternalError that names the judge; our own errors stay what they are."""

    def fail(error: Exception) -> SelectJudge:
        def reply() -> AIMessage:
            raise error

        return SelectJudge(Provider(reply=reply), "provider")

    with pytest.raises(ExternalError, match="judge provider: TimeoutError: too slow"):
        await fail(TimeoutError("too slow")).judge(case_of(TEXT, {CANCER: "a"}))
    with pytest.raises(UserError, match="no key"):
        await fail(UserError("no key")).judge(case_of(TEXT, {CANCER: "a"}))
