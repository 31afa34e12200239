"""Filters ask each candidate once and give the probability that it is right."""

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.filters import (
    CausalFilter,
    ClassifierFilter,
    ClassifierHead,
    ServedClassifierFilter,
    SpanFilter,
    load_head,
)
from medner.agents.filters.filter import probability
from medner.agents.prompts.filter import NO, YES, candidate_part, encoder_parts, sentence_part
from medner.agents.prompts.messages import Message
from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.core.records import Entity, Sentence
from tests.agents.letters import LettersEncoder

LABELS = load_label_set("cmeee-v2")
SENTENCE = Sentence("s", "头痛缓解后又头痛")
FIRST, SECOND = Entity(0, 2, "sym"), Entity(6, 8, "sym")


async def test_each_unique_candidate_is_asked_once() -> None:
    """Repeated candidates share an answer; scores come in the order of the question."""
    asked: list[str] = []

    def probabilities(messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        assert list(options) == [YES, NO]
        asked.append(messages[-1].content)
        return [0.9, 0.1] if "【头痛】缓解" in messages[-1].content else [0.2, 0.8]

    engine = ScriptedEngine(lambda _: "", probabilities)
    scores = await CausalFilter(engine, LABELS).score(SENTENCE, [SECOND, FIRST, SECOND, FIRST])
    assert scores == [0.2, 0.9, 0.2, 0.9]
    assert len(asked) == len(set(asked)) == 2


async def test_a_served_classifier_is_asked_once_a_sentence() -> None:
    """One request with each unique candidate; bias and temperature are the client's to add."""
    asked: list[tuple[str, list[str]]] = []

    class Scores:
        async def classify(self, model: str, texts: Sequence[str]) -> list[float]:
            asked.append((model, list(texts)))
            return [2.0, -1.0][: len(texts)]

    served = ServedClassifierFilter(Scores(), LABELS, "cmeee-v2.llm-cls", bias=1.0, temperature=3.0)
    scores = await served.score(SENTENCE, [SECOND, FIRST, SECOND])
    assert scores == [probability(3.0, 3.0), probability(0.0, 3.0), probability(3.0, 3.0)]
    ((model, texts),) = asked
    assert model == "cmeee-v2.llm-cls"
    assert [text.startswith(sentence_part(SENTENCE.text)) for text in texts] == [True, True]
    assert [text.removeprefix(sentence_part(SENTENCE.text)) for text in texts] == [
        candidate_part(SENTENCE.text, one, LABELS) for one in (SECOND, FIRST)
    ]


async def test_span_taggers_give_the_probability_of_their_mean_score() -> None:
    """Each is asked for all candidates, unless its scores came with the sentence; the sigmoid of their mean."""

    class Spans:
        def __init__(self, name: str, *logits: float) -> None:
            self.name, self._logits = name, logits

        async def logits(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
            assert sentence == SENTENCE
            return list(self._logits[: len(entities)])

    class Known:
        def logits(self, entities: Sequence[Entity]) -> list[float]:
            return [4.0 for _ in entities]

        def likely(self, least: float) -> list[Entity]:
            return [SECOND]

    both = SpanFilter((Spans("a", 2.0, -3.0), Spans("b", 0.0, 1.0)))
    assert await both.score(SENTENCE, [FIRST, SECOND]) == [probability(1.0, 1.0), probability(-1.0, 1.0)]
    handed_on = await both.score_from({"a": Known()}, SENTENCE, [FIRST, SECOND])
    assert handed_on == [probability(2.0, 1.0), probability(2.5, 1.0)]
    assert await both.score(SENTENCE, []) == []
    assert both.likely({"a": Known()}, 0.1) == {SECOND}
    assert both.likely({}, 0.1) == set()
    weighed = SpanFilter(both.taggers, weights=(1.0, 3.0))
    assert await weighed.score(SENTENCE, [FIRST, SECOND]) == [probability(0.5, 1.0), probability(0.0, 1.0)]


async def test_no_candidates_ask_nothing() -> None:
    """An empty question has an empty answer."""
    assert await CausalFilter(ScriptedEngine(lambda _: ""), LABELS).score(SENTENCE, []) == []


async def test_candidates_are_asked_together() -> None:
    """All candidates of a sentence are under way at once, so that the engine can batch them."""
    both = asyncio.Event()
    waiting = 0

    class Gathers(ScriptedEngine):
        async def choose(self, messages, options, *, adapter=None):
            nonlocal waiting
            waiting += 1
            if waiting == 2:
                both.set()
            await both.wait()
            return [0.5, 0.5]

    async with asyncio.timeout(20):
        assert await CausalFilter(Gathers(lambda _: ""), LABELS).score(SENTENCE, [FIRST, SECOND]) == [0.5, 0.5]


async def test_a_classifier_reads_the_last_token_behind_the_shared_sentence() -> None:
    """Each unique candidate is one call that shares the sentence; its score is the sigmoid over the temperature."""
    torch = pytest.importorskip("torch")

    def states(tokens, shared):
        hidden = torch.zeros(len(tokens) - shared, 2)
        hidden[-1] = torch.tensor([1.0 if tokens[shared] == ord("[") else -1.0, 9.0])
        return hidden

    encoder = LettersEncoder(states)
    head = ClassifierHead(torch.tensor([2.0, 0.0]), 1.0)
    made = ClassifierFilter(encoder, LABELS, head, threshold=0.3, temperature=2.0, adapter="cls")
    scores = await made.score(SENTENCE, [SECOND, FIRST, SECOND])
    assert scores == pytest.approx([1 / (1 + math.exp(0.5)), 1 / (1 + math.exp(-1.5)), 1 / (1 + math.exp(0.5))])
    prefix = sentence_part(SENTENCE.text)
    assert encoder.asked == [
        (prefix, "缓解后又[头痛]|临床表现：", "cls"),
        (prefix, "[头痛]缓解后又|临床表现：", "cls"),
    ]


def test_a_filter_of_another_base_model_is_refused(tmp_path: Path) -> None:
    """A head of another width names the way out; a folder without one is no filter."""
    torch = pytest.importorskip("torch")
    with pytest.raises(UserError, match="width 2, this one's is 3"):
        ClassifierHead(torch.zeros(2), 0.0).logit(torch.zeros(3))
    with pytest.raises(UserError, match="no LLM-CLS filter"):
        load_head(tmp_path)


async def test_a_tuned_yes_or_no_is_asked_briefly_and_calibrated() -> None:
    """The sentence stands in the part that candidates share; a temperature of 2 halves the log-odds."""
    asked: list[Sequence[Message]] = []

    def probabilities(messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        asked.append(messages)
        return [0.8, 0.2]

    made = CausalFilter(ScriptedEngine(lambda _: "", probabilities), LABELS, style="brief", temperature=2.0)
    assert await made.score(SENTENCE, [FIRST, SECOND]) == pytest.approx([2 / 3, 2 / 3])
    assert len({messages[:-1][0].content for messages in asked}) == 1
    assert SENTENCE.text in asked[0][0].content
    assert "[头痛]缓解" in asked[0][-1].content


@given(st.floats(-1e6, 1e6), st.floats(0.05, 20))
def test_a_probability_is_one(logit: float, temperature: float) -> None:
    """However large a score is, its probability lies between 0 and 1, and grows with it."""
    assert 0.0 <= probability(logit, temperature) <= 1.0
    assert probability(logit, temperature) <= probability(logit + 1, temperature)
    assert probability(0.0, temperature) == 0.5


def test_a_long_sentence_is_read_around_the_candidate() -> None:
    """An encoder sees the type, then the candidate marked, with as much on both sides as there is room for."""
    assert encoder_parts(SENTENCE.text, SECOND, LABELS) == ("临床表现", "头痛缓解后又【头痛】")
    name, marked = encoder_parts("甲" * 500 + "头痛" + "乙" * 500, Entity(500, 502, "sym"), LABELS, room=10)
    assert (name, marked) == ("临床表现", "甲甲甲甲【头痛】乙乙乙乙")
