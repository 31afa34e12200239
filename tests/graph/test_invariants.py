"""What holds for every annotation, whatever taggers, filter and judge say."""

import asyncio
from dataclasses import dataclass
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.judges.engine_chat_model import EngineChatModel
from medner.agents.judges.judge import BestTagger, HardVote
from medner.agents.judges.select import SelectJudge
from medner.core.labels import load_label_set
from medner.core.records import Annotation, Decision, Decoded, Entity, Sentence, TaggerOutput, in_order
from medner.graph import Deps, Pipeline

TEXT = "腹痛伴发热，查体：右下腹压痛"
LABEL_SETS = {"nested": load_label_set("cmeee-v2"), "flat": load_label_set("ccks2019")}
entities = st.builds(
    lambda start, length, label: Entity(start, min(start + length, len(TEXT)), label),
    st.integers(0, len(TEXT) - 1),
    st.integers(1, 5),
    st.sampled_from(["dis", "dru"]),  # both sets have them
)


@dataclass(frozen=True)
class Says:
    name: str
    entities: tuple[Entity, ...]

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        return TaggerOutput(self.name, "", Decoded(self.entities))


@dataclass(frozen=True)
class Scores:
    score_of: dict[int, float]
    threshold: float = 0.25
    name: str = "scores"

    async def score(self, sentence, entities):
        return [self.score_of[entity.start] for entity in entities]


@st.composite
def runs(draw) -> tuple[str, Deps]:
    """A label set's kind and agents of every sort that say anything at all."""
    kind = draw(st.sampled_from(sorted(LABEL_SETS)))
    said = draw(st.lists(st.lists(entities, max_size=5).map(in_order), min_size=2, max_size=4))
    taggers = tuple(Says(f"t{n}", each) for n, each in enumerate(said))
    answer = draw(st.sampled_from(["1", "2", "1,2", "1,2,3", "无", "编号：1、3", "都对", "正确的编号：1\n2"]))
    chat = EngineChatModel(engine=ScriptedEngine(lambda _: answer), model_name="scripted")
    judge = draw(st.sampled_from([HardVote(), BestTagger("t0"), SelectJudge(chat, "scripted")]))
    scores = st.fixed_dictionaries({start: st.sampled_from([0.1, 0.4, 0.5, 0.9]) for start in range(len(TEXT))})
    filtering = draw(st.none() | scores.map(Scores))
    return kind, Deps(LABEL_SETS[kind], taggers, judge, filtering)


@given(runs())
@settings(max_examples=80, deadline=None)
def test_every_annotation_accounts_for_every_candidate(run: tuple[str, Deps]) -> None:
    """A proposed entity is agreed, kept, dropped by a verdict or dropped by the filter: exactly one of them."""
    _, deps = run
    annotation: Annotation = asyncio.run(Pipeline(deps).annotate_sentence(Sentence("s", TEXT)))
    proposed = in_order(entity for output in annotation.outputs for entity in output.decoded.entities)
    agreed = [item.entity for item in annotation.entities if item.decision is Decision.AGREED]
    kept = [entity for verdict in annotation.verdicts for entity in verdict.kept]
    dropped = [entity for verdict in annotation.verdicts for entity in verdict.dropped]
    filtered = [drop.candidate.entity for drop in annotation.dropped]
    assert sorted([*agreed, *kept, *dropped, *filtered]) == sorted(proposed)
    assert tuple(item.entity for item in annotation.entities) == in_order([*agreed, *kept])
    assert [verdict.conflict_id for verdict in annotation.verdicts] == [item.id for item in annotation.conflicts]
    scores = [(drop.candidate.score, drop.threshold) for drop in annotation.dropped]
    assert all(score is not None and score < threshold for score, threshold in scores)


@given(runs().filter(lambda run: run[0] == "flat"))
@settings(max_examples=80, deadline=None)
def test_in_a_flat_set_no_result_overlaps(run: tuple[str, Deps]) -> None:
    """No judge, no rule and no agreement lets two overlapping entities both survive in a flat label set."""
    annotation: Annotation = asyncio.run(Pipeline(run[1]).annotate_sentence(Sentence("s", TEXT)))
    for one, other in combinations(annotation.entities, 2):
        assert not one.entity.span.overlaps(other.entity.span)
