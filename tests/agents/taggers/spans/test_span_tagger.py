"""From scores to entities."""

import asyncio
import json
import math
from dataclasses import replace

import pytest

from medner.core.errors import BadInputError, UserError
from medner.core.labels import LabelSet, LabelType, load_label_set
from medner.core.records import Entity, Sentence
from tests.agents.letters import LettersEncoder, random_states

torch = pytest.importorskip("torch")
from medner.agents.taggers.spans.head import SpanHead, SpanShape, load_head
from medner.agents.taggers.spans.settings import SpanSettings, load_span_tagger, read_settings
from medner.agents.taggers.spans.states import EncodedStates
from medner.agents.taggers.spans.tagger import MOST_LIKELY, SpanScores, SpanTagger, least_score, spans_over

NESTED = LabelSet("n", "", (LabelType("sym", "症状", "d"), LabelType("bod", "身体", "d")))
FLAT = LabelSet("f", "", NESTED.types, nested=False)


def scores(count, *cells):
    found = torch.full((2, count, count), -5.0)
    for number, start, last, value in cells:
        found[number, start, last] = value
    return found


def entities(found):
    return [entity for entity, _ in found]


def test_spans_over_the_threshold_become_entities():
    """A cell is an entity when its score reaches the threshold; ends are exclusive in the record."""
    found = spans_over(scores(6, (0, 0, 1, 2.0), (1, 4, 5, 0.0), (1, 2, 2, -0.1)), NESTED, score=0.0)
    assert entities(found) == [Entity(0, 2, "sym"), Entity(4, 6, "bod")]


def test_a_span_that_ends_before_it_starts_is_none():
    """Cells below the diagonal mean nothing, whatever their score."""
    assert spans_over(scores(4, (0, 3, 1, 9.0)), NESTED, score=0.0) == []


def test_nested_entities_of_other_types_stay():
    """A body part inside a symptom stays; of two overlapping symptoms the better one does."""
    found = spans_over(scores(6, (0, 0, 4, 2.0), (0, 1, 5, 1.0), (1, 0, 1, 0.5)), NESTED, score=0.0)
    assert entities(found) == [Entity(0, 2, "bod"), Entity(0, 5, "sym")]


def test_one_stretch_has_one_type():
    """Of two types for the same stretch the better one stays."""
    found = spans_over(scores(3, (0, 0, 1, 1.0), (1, 0, 1, 2.0)), NESTED, score=0.0)
    assert entities(found) == [Entity(0, 2, "bod")]


def test_likely_stretches_reach_below_the_threshold_and_beside_one_another():
    """Every stretch and type of enough probability, overlapping or not; of very many the likeliest."""
    cells = scores(6, (0, 0, 4, 2.0), (1, 0, 4, -1.0), (0, 1, 5, -2.0), (0, 3, 1, 9.0), (1, 2, 2, -2.3))
    found = SpanScores("六个字的句子", cells, 6, NESTED, temperature=1.0)
    assert sorted(found.likely(0.1)) == [Entity(0, 5, "bod"), Entity(0, 5, "sym"), Entity(1, 6, "sym")]
    assert found.likely(0.9) == []
    cooler = replace(found, temperature=2.0)
    assert Entity(2, 3, "bod") in cooler.likely(0.1)
    many = SpanScores("字" * 40, torch.randn(2, 40, 40), 40, NESTED, temperature=1.0)
    likeliest = many.likely(0.01)
    assert len(likeliest) == MOST_LIKELY
    assert min(many.cell_logits(likeliest)) >= max(
        many.cell_logits(
            [
                one
                for label in NESTED.codes
                for start in range(40)
                for end in range(start + 1, 41)
                if (one := Entity(start, end, label)) not in likeliest
            ]
        )
    )


def test_a_flat_label_set_has_no_overlap():
    """In a flat label set an inner entity gives way to a better outer one, and the other way round."""
    assert entities(spans_over(scores(6, (0, 0, 4, 2.0), (1, 0, 1, 0.5)), FLAT, score=0.0)) == [Entity(0, 5, "sym")]
    assert entities(spans_over(scores(6, (0, 0, 4, 0.5), (1, 0, 1, 2.0)), FLAT, score=0.0)) == [Entity(0, 2, "bod")]


def test_overlaps_that_the_label_set_forbids_leave_the_likelier():
    """A body part inside a symptom stays; one that holds a symptom, or crosses it, competes with it."""
    named = replace(NESTED, outer=("sym",))
    inside = scores(6, (0, 0, 4, 2.0), (1, 0, 1, 0.5))
    assert entities(spans_over(inside, named, score=0.0)) == [Entity(0, 2, "bod"), Entity(0, 5, "sym")]
    holding = scores(6, (0, 1, 2, 1.0), (1, 0, 4, 2.0))
    assert entities(spans_over(holding, named, score=0.0)) == [Entity(0, 5, "bod")]
    crossing = scores(6, (0, 0, 2, 2.0), (1, 2, 4, 1.0))
    assert entities(spans_over(crossing, named, score=0.0)) == [Entity(0, 3, "sym")]


def test_the_least_score_has_the_thresholds_probability():
    """At a half it is 0 whatever the temperature; higher thresholds ask for more."""
    assert least_score(0.5, 3.0) == 0.0
    assert 1 / (1 + 2.718281828 ** (-least_score(0.8, 2.0) / 2.0)) == pytest.approx(0.8, abs=1e-6)


def tagger(**changes):
    torch.manual_seed(1)
    head = SpanHead(SpanShape(16, 9)).eval()
    states = EncodedStates(LettersEncoder(random_states), head, "span", 8)
    given = {"temperature": 2.0, "threshold": 0.3, **changes}
    return SpanTagger("span", states, head, load_label_set("cmeee-v2"), **given)


def test_the_answer_lists_entities_with_probabilities():
    """The answer is JSON: each entity's place, type and probability, none under the threshold."""
    spans = tagger()
    output = asyncio.run(spans.tag(Sentence("a#0", "咽部充血")))
    said = json.loads(output.answer)
    assert said
    assert [Entity(one["start"], one["end"], one["type"]) for one in said] == list(output.decoded.entities)
    assert all(one["p"] >= 0.3 for one in said)
    assert spans.states.encoder.asked == [("", "\n咽部充血", "span")]
    assert spans.states.encoder.two_way_from == 8
    assert output.cost.passes == 1


def test_any_stretch_has_a_score_and_a_tagged_sentence_no_second_pass():
    """The sigmoid of a logit is the probability in the answer; the model is asked once."""
    spans, sentence = tagger(), Sentence("a#0", "咽部充血")
    said = json.loads(asyncio.run(spans.tag(sentence)).answer)
    known = [Entity(one["start"], one["end"], one["type"]) for one in said]
    logits = asyncio.run(spans.logits(sentence, known))
    assert [1 / (1 + math.exp(-one)) for one in logits] == pytest.approx([one["p"] for one in said], abs=1e-4)
    assert len(spans.states.encoder.asked) == 1
    asyncio.run(spans.logits(Sentence("b#0", "发热"), [Entity(0, 2, "sym")]))
    assert len(spans.states.encoder.asked) == 2


def test_sentences_of_equal_text_are_one_pass():
    """At once or one after the other, tagged or asked about: a text is scored once, and the answers are equal."""
    spans = tagger()

    async def together():
        tagging = [spans.tag(Sentence(f"{number}#0", "咽部充血")) for number in range(5)]
        asking = [spans.logits(Sentence("a#0", "咽部充血"), [Entity(0, 2, "sym")]) for _ in range(5)]
        return await asyncio.gather(*tagging), await asyncio.gather(*asking)

    outputs, logits = asyncio.run(together())
    asyncio.run(together())
    assert len(spans.states.encoder.asked) == 1
    assert len({output.answer for output in outputs}) == 1
    assert all(output.cost.passes == 1 for output in outputs)
    assert logits == logits[:1] * 5


def test_an_entity_has_the_best_score_of_all_it_was_trimmed_from():
    """The tagger's score for ' COPD ，' counts for 'COPD' as well; that of a longer entity does not."""
    text = "诊断 COPD ，急性"
    cells = torch.full((9, len(text), len(text)), -5.0)
    cells[0, 2, 8], cells[0, 3, 6], cells[0, 0, 6], cells[1, 2, 8] = 3.0, -1.0, 9.0, 7.0
    scored = SpanScores(text, cells, 12, load_label_set("cmeee-v2"), 2.0)
    assert scored.logits([Entity(3, 7, "dis"), Entity(3, 7, "sym"), Entity(0, 7, "dis")]) == [1.5, 3.5, 4.5]
    assert scored.logits([Entity(4, 7, "dis")]) == [-2.5]


def test_an_empty_sentence_has_no_entities():
    """Nothing to score is no failure."""
    assert asyncio.run(tagger().tag(Sentence("a#0", ""))).decoded.entities == ()


def test_a_head_survives_saving(tmp_path):
    """Saved and loaded, a head gives the same scores."""
    torch.manual_seed(2)
    head = SpanHead(SpanShape(8, 3, inner=12, size=4)).eval()
    head.save(tmp_path)
    hidden, tokens, places = torch.randn(1, 5, 8), torch.tensor([[1, 1, 2, 4]]), torch.tensor([[0, 5, 3, 3]])
    assert torch.equal(load_head(tmp_path)(hidden, tokens, places), head(hidden, tokens, places))


def test_what_is_no_span_tagger_is_refused(tmp_path):
    """A folder without head or settings, a damaged head, wrong settings and other types are told apart."""
    with pytest.raises(UserError, match=r"no span_head\.safetensors"):
        load_head(tmp_path)
    with pytest.raises(UserError, match=r"no span\.json"):
        read_settings(tmp_path)
    (tmp_path / "span_head.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="damaged"):
        load_head(tmp_path)
    (tmp_path / "span.json").write_text('{"types": ["sym"], "two_way_from": -1}')
    with pytest.raises(BadInputError, match="two_way_from"):
        read_settings(tmp_path)
    SpanHead(SpanShape(8, 2)).save(tmp_path)
    SpanSettings(types=("sym", "bod"), two_way_from=1).save(tmp_path)
    with pytest.raises(UserError, match="knows the types sym, bod"):
        load_span_tagger(
            tmp_path, name="s", adapter="s", encoder=LettersEncoder(random_states), labels=load_label_set("ccks2019")
        )
