"""Agents that are shown a sentence of several lines as one line."""

import asyncio
import math

import pytest

from medner.agents.filters import SpanFilter
from medner.agents.joined_lines import LineJoiningSpanTagger
from medner.agents.judges.judge import FilterScore
from medner.core.labels import load_label_set
from medner.core.records import Entity, Sentence
from medner.graph import Deps, Pipeline
from tests.agents.letters import LettersEncoder, asked_of, random_states

torch = pytest.importorskip("torch")
from medner.agents.taggers.spans.head import SpanHead, SpanShape
from medner.agents.taggers.spans.states import EncodedStates
from medner.agents.taggers.spans.tagger import SpanTagger

LABELS = load_label_set("cmeee-v2")


def tagger(name: str, seed: int) -> SpanTagger:
    torch.manual_seed(seed)
    head = SpanHead(SpanShape(16, 9)).eval()
    states = EncodedStates(LettersEncoder(random_states), head, name, 8)
    return SpanTagger(name, states, head, LABELS, threshold=0.4)


def test_scores_of_a_joined_sentence_are_asked_for_in_the_original() -> None:
    """An entity over a line break has the score of the term without it; a break alone has none."""
    spans = tagger("a", 1)
    joining = LineJoiningSpanTagger(spans)

    async def scores():
        broken = (await joining.tag_scored(Sentence("d#0", "反复胸\n  痛"))).scores
        whole = (await spans.tag_scored(Sentence("d#0", "反复胸痛"))).scores
        over = [Entity(2, 7, "sym"), Entity(3, 5, "sym"), Entity(6, 7, "bod")]
        by_name = await joining.logits(Sentence("d#0", "反复胸\n  痛"), over)
        return broken.logits(over), by_name, whole.logits([Entity(2, 4, "sym"), Entity(3, 4, "bod")])

    broken, by_name, whole = asyncio.run(scores())
    assert broken == by_name == [whole[0], -math.inf, whole[1]]


def test_likely_entities_of_a_joined_sentence_are_in_the_original() -> None:
    """What is likely without the line break has the places that it has with it."""
    spans = tagger("a", 1)
    joining = LineJoiningSpanTagger(spans)

    async def likely():
        broken = (await joining.tag_scored(Sentence("d#0", "反复胸\n  痛"))).scores
        whole = (await spans.tag_scored(Sentence("d#0", "反复胸痛"))).scores
        return broken.likely(0.3), whole.likely(0.3)

    broken, whole = asyncio.run(likely())
    assert whole
    ends = {1: 1, 2: 2, 3: 3, 4: 7}
    starts = {0: 0, 1: 1, 2: 2, 3: 6}
    assert broken == [Entity(starts[one.start], ends[one.end], one.label) for one in whole]


def test_a_joined_sentence_is_one_pass_a_tagger() -> None:
    """The filter takes the scores that came with the answers, as it does for sentences of one line."""
    spans = (tagger("a", 1), tagger("b", 2))
    joining = tuple(map(LineJoiningSpanTagger, spans))
    pipeline = Pipeline(Deps(LABELS, joining, FilterScore(0.5), SpanFilter(joining), join_lines=True))
    broken, whole = Sentence("d#0", "发热三天伴咳\n嗽"), Sentence("d#1", "发热三天伴咳嗽")

    async def run():
        return [await pipeline.annotate_sentence(sentence) for sentence in (broken, whole)]

    annotations = asyncio.run(run())
    assert any(annotation.conflicts for annotation in annotations)
    words = [
        [(entity.entity.text_in(sentence.text).replace("\n", ""), entity.entity.label) for entity in one.entities]
        for one, sentence in zip(annotations, (broken, whole), strict=True)
    ]
    assert words[0] == words[1] != []
    assert [len(asked_of(one)) for one in spans] == [1, 1]
