"""The zero-shot filter asks each candidate once and gives the probability of yes."""

import asyncio
from collections.abc import Sequence

from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.filters import CausalFilter
from medner.agents.prompts.filter import NO, YES
from medner.agents.prompts.messages import Message
from medner.store.labels import load_label_set
from medner.store.records import Entity, Sentence

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
