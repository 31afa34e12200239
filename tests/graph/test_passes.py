"""How many passes a run of span taggers takes."""

import asyncio

import pytest

from medner.agents.filters import SpanFilter
from medner.agents.judges.judge import FilterScore
from medner.core.labels import load_label_set
from medner.core.records import Sentence
from medner.graph import Deps, Pipeline
from tests.agents.letters import LettersEncoder, asked_of, random_states

torch = pytest.importorskip("torch")
from medner.agents.taggers.spans.head import SpanHead, SpanShape
from medner.agents.taggers.spans.sharing import SharedScores
from medner.agents.taggers.spans.states import EncodedStates
from medner.agents.taggers.spans.tagger import SpanScores, SpanTagger

LABELS = load_label_set("cmeee-v2")


def tagger(name: str, seed: int, most_bytes: int) -> SpanTagger:
    torch.manual_seed(seed)
    head = SpanHead(SpanShape(16, 9)).eval()
    shared = SharedScores[str, SpanScores](most_bytes)
    states = EncodedStates(LettersEncoder(random_states), head, name, 8)
    return SpanTagger(name, states, head, LABELS, threshold=0.4, _shared=shared)


@pytest.mark.parametrize("most_bytes", [0, 16 << 20])
@pytest.mark.parametrize("count", [1, 64, 128])
def test_a_sentence_is_one_pass_a_tagger(count: int, most_bytes: int) -> None:
    """However many are under way at once, and whatever is remembered: a filter by scores costs no further pass."""
    taggers = (tagger("a", 1, most_bytes), tagger("b", 2, most_bytes))
    pipeline = Pipeline(Deps(LABELS, taggers, FilterScore(0.5), SpanFilter(taggers)), concurrency=count)
    sentences = [Sentence(f"{number}#0", f"发热{number}天伴咳嗽") for number in range(count)]

    async def run():
        return await asyncio.gather(*(pipeline.annotate_sentence(sentence) for sentence in sentences))

    annotations = asyncio.run(run())
    assert any(annotation.conflicts for annotation in annotations)
    assert [len(asked_of(one)) for one in taggers] == [count, count]


def test_equal_sentences_are_one_pass() -> None:
    """A line that stands in every note is scored once a tagger, and annotated alike everywhere."""
    taggers = (tagger("a", 1, 16 << 20), tagger("b", 2, 16 << 20))
    pipeline = Pipeline(Deps(LABELS, taggers, FilterScore(0.5), SpanFilter(taggers)))

    async def run():
        sentences = [Sentence(f"{number}#0", "否认高血压、糖尿病病史") for number in range(50)]
        return await asyncio.gather(*(pipeline.annotate_sentence(sentence) for sentence in sentences))

    annotations = asyncio.run(run())
    assert len({annotation.entities for annotation in annotations}) == 1
    assert [len(asked_of(one)) for one in taggers] == [1, 1]
