"""The contract of the four strategies."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medner.agents.strategies import CODECS, Automaton
from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.core.records import Entity, Rejection, in_order

LABELS = load_label_set("cmeee-v2")
ALPHABET = "咽痛发热炎症AB1 2.：:，[]<>\\\"'{}|/\n\r\t😀𠮷\u3000" + "疾病身体"

texts = st.text(alphabet=ALPHABET, min_size=1, max_size=24)


@st.composite
def annotated(draw, max_layers=None):
    """A text with any entities in it: nested, crossing, adjacent, repeated."""
    text = draw(texts)
    count = draw(st.integers(0, 6))
    entities = []
    for _ in range(count):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        entities.append(Entity(start, end, draw(st.sampled_from(LABELS.codes))))
    return text, in_order(entities)


@pytest.mark.parametrize("name", CODECS)
@given(case=annotated())
@settings(max_examples=150, deadline=None)
def test_decoding_what_was_encoded_gives_the_same_entities(name, case):
    """decode(encode(x)) == x, with nothing refused and no offset repaired."""
    text, entities = case
    codec = CODECS[name]
    decoded = codec.decode(text, codec.encode(text, entities, LABELS), LABELS)
    assert decoded.entities == entities
    assert decoded.rejected == ()
    assert decoded.offsets_repaired == 0


@pytest.mark.parametrize("name", CODECS)
@given(case=annotated())
@settings(max_examples=100, deadline=None)
def test_every_encoding_is_legal(name, case):
    """The automaton accepts whatever the codec writes (up to three overlapping entities of one type)."""
    text, entities = case
    per_type = [sum(e.label == code for e in entities) for code in LABELS.codes]
    if name == "symbol" and max(per_type) > 3:
        return
    codec = CODECS[name]
    assert Automaton(codec.graph(text, LABELS)).accepts(codec.encode(text, entities, LABELS))


@pytest.mark.parametrize("name", CODECS)
@given(case=annotated(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_legal_answer_is_faithful(name, case, data):
    """A random walk through the automaton ends, in an answer of which nothing is refused but repeats."""
    text, _ = case
    codec = CODECS[name]
    automaton = Automaton(codec.graph(text, LABELS))
    state, answer = automaton.start, bytearray()
    for _ in range(20_000):
        choices = sorted(automaton.next_bytes(state))
        if automaton.is_final(state) and (not choices or data.draw(st.booleans())):
            break
        byte = choices[0] if len(choices) == 1 else data.draw(st.sampled_from(choices))
        answer.append(byte)
        after = automaton.step(state, byte)
        assert after is not None
        state = after
    else:
        pytest.fail("the walk did not end")
    decoded = codec.decode(text, answer.decode("utf-8"), LABELS)
    assert {refused.reason for refused in decoded.rejected} <= {Rejection.DUPLICATE}


@pytest.mark.parametrize("name", CODECS)
@given(case=annotated(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_drafts_are_legal(name, case, data):
    """A draft is always a legal way on."""
    text, entities = case
    codec = CODECS[name]
    automaton = Automaton(codec.graph(text, LABELS))
    answer = codec.encode(text, entities[:3], LABELS).encode()
    cut = data.draw(st.integers(0, len(answer)))
    state = automaton.walk(automaton.start, answer[:cut])
    assert state is not None
    assert automaton.walk(state, automaton.draft(state)) is not None


@pytest.mark.parametrize("name", CODECS)
@given(text=texts, answer=st.text(alphabet=ALPHABET + "临床表现", max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_answer_can_invent_an_entity(name, text, answer):
    """Whatever a model writes, what comes out lies in the text and has a known label; decoding never raises."""
    for entity in CODECS[name].decode(text, answer, LABELS).entities:
        assert entity.text_in(text)
        assert entity.label in LABELS


@pytest.mark.parametrize("name", CODECS)
def test_an_unknown_label_cannot_be_encoded(name):
    """The error names the label and the known ones."""
    with pytest.raises(UserError, match="no type 'xyz'; it has dis, sym"):
        CODECS[name].encode("咽痛", [Entity(0, 2, "xyz")], LABELS)


def test_the_symbol_strategy_writes_a_line_a_type():
    """A line for each type that is present, the whole sentence in each."""
    text = "双侧扁桃体红肿"
    entities = [Entity(2, 5, "bod"), Entity(2, 7, "sym")]
    answer = CODECS["symbol"].encode(text, entities, LABELS)
    assert answer == "临床表现：双侧[扁桃体红肿]\n身体：双侧[扁桃体]红肿"


def test_the_html_strategy_nests_tags():
    """Inner tags close first."""
    text = "双侧扁桃体红肿"
    entities = [Entity(2, 5, "bod"), Entity(2, 7, "sym")]
    answer = CODECS["html"].encode(text, entities, LABELS)
    assert answer == "双侧<临床表现:扁桃体红肿><身体:扁桃体>扁桃体</身体:扁桃体>红肿</临床表现:扁桃体红肿>"


def test_the_index_strategy_shows_every_index():
    """The first line numbers the characters, then a line an entity."""
    answer = CODECS["index"].encode("咽痛", [Entity(0, 2, "sym")], LABELS)
    assert answer == "0:咽 1:痛\n咽痛 | 临床表现 | 0 | 1"


def test_the_json_strategy_states_inclusive_offsets():
    """The keys and conventions are CMeEE's."""
    answer = CODECS["json"].encode("咽痛", [Entity(0, 2, "sym")], LABELS)
    assert json.loads(answer) == [{"start_idx": 0, "end_idx": 1, "type": "临床表现", "entity": "咽痛"}]


def test_wrong_offsets_are_repaired_and_counted():
    """A wrong offset moves to the nearest place where the text stands; a second one takes the next place."""
    item = '{"start_idx": 9, "end_idx": 9, "type": "身体", "entity": "咽"}'
    decoded = CODECS["json"].decode("咽痛，咽红", f"[{item}, {item}, {item}]", LABELS)
    assert decoded.entities == (Entity(0, 1, "bod"), Entity(3, 4, "bod"))
    assert (decoded.offsets_exact, decoded.offsets_repaired) == (0, 2)
    assert [refused.reason for refused in decoded.rejected] == [Rejection.DUPLICATE]


def test_an_answer_cut_off_keeps_its_whole_objects():
    """Objects before the cut count; the rest is refused as truncated."""
    answer = '[{"start_idx": 0, "end_idx": 1, "type": "临床表现", "entity": "咽痛"}, {"start_idx": 3, "en'
    decoded = CODECS["json"].decode("咽痛，发热", answer, LABELS)
    assert decoded.entities == (Entity(0, 2, "sym"),)
    assert [refused.reason for refused in decoded.rejected] == [Rejection.TRUNCATED]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("临床表现：咽[痛", Rejection.UNBALANCED),
        ("临床表现：咽]痛", Rejection.UNBALANCED),
        ("临床表现：咽[]痛", Rejection.EMPTY),
        ("临床表现：咽部痛", Rejection.UNFAITHFUL_COPY),
        ("临床表现：咽", Rejection.TRUNCATED),
        ("症候：[咽]痛", Rejection.UNKNOWN_LABEL),
        ("没有实体", Rejection.MALFORMED),
    ],
)
def test_what_is_wrong_with_a_symbol_answer_is_said(answer, reason):
    """Each way to go wrong has its reason, and the raw line is kept."""
    decoded = CODECS["symbol"].decode("咽痛", answer, LABELS)
    assert decoded.entities == ()
    assert [refused.reason for refused in decoded.rejected] == [reason]
    assert decoded.rejected[0].raw in answer


def test_html_tags_must_agree_with_the_text_between_them():
    """A start tag that names other text than what follows gives no entity."""
    decoded = CODECS["html"].decode("咽痛", "<身体:咽痛>咽</身体:咽>痛", LABELS)
    assert decoded.entities == ()
    assert {refused.reason for refused in decoded.rejected} == {Rejection.UNBALANCED}
