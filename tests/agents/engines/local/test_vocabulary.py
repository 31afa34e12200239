"""The vocabulary as bytes: which tokens a grammar allows, and what texts become."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medner.agents.strategies import CODECS, Automaton
from medner.core.errors import UserError
from medner.core.labels import load_label_set

pytest.importorskip("transformers")
from medner.agents.engines.local.vocabulary import Vocabulary
from tests.agents.engines.local.vocabularies import EXACT, vocabulary
from tests.tiny_model import byte_level_tokenizer

LABELS = load_label_set("cmeee-v2")
texts = st.text(alphabet='咳嗽，扁桃体38CT 痰[]<>\\"\n\u3000😀𠮷é', max_size=16)


@pytest.mark.parametrize("strategy", CODECS)
@pytest.mark.parametrize("name", ["byte-level", "sentence-piece"])
@given(text=texts.filter(bool), data=st.data())
@settings(max_examples=15, deadline=None)
def test_allowed_tokens_are_all_those_the_automaton_takes(name, strategy, text, data):
    """At any place of an answer: exactly the tokens whose bytes are legal there, each with the state it leads to."""
    words = vocabulary(name)
    automaton = Automaton(CODECS[strategy].graph(text, LABELS))
    state = automaton.start
    for _ in range(data.draw(st.integers(0, 40))):
        if not automaton.next_bytes(state):
            break
        after = automaton.step(state, data.draw(st.sampled_from(sorted(automaton.next_bytes(state)))))
        assert after is not None
        state = after
    numbers = [number for number in range(400) if words.data_or_none(number) is not None]
    tried = {number: automaton.walk(state, words.data(number)) for number in numbers}
    assert words.allowed(automaton, state) == {number: after for number, after in tried.items() if after is not None}


@pytest.mark.parametrize("name", EXACT)
@given(text=texts)
@settings(max_examples=60, deadline=None)
def test_tokens_of_a_text_are_its_bytes(name, text):
    """What is encoded stands for the text and nothing else: no space in front, no character lost."""
    words = vocabulary(name)
    assert words.data_of(words.encode(text)) == text.encode()


@pytest.mark.parametrize("name", ["byte-level", "sentence-piece"])
def test_tokens_are_the_tokenizers_own(name):
    """Drafts are tokenized as the model has learnt it."""
    tokenizer = EXACT[name]()
    text = "CT示扁桃体红肿，咳嗽 咳"
    assert vocabulary(name).encode(text) == tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("name", EXACT)
def test_control_tokens_are_text_and_the_tokenizer_stays_as_it_was(name):
    """A control token's name is spelt out, while the tokenizer itself still reads it as one token."""
    tokenizer = EXACT[name]()
    words = Vocabulary(tokenizer, frozenset([tokenizer.eos_token_id]))
    ids = words.encode("咳<|im_end|>嗽")
    assert words.data_of(ids) == "咳<|im_end|>嗽".encode()
    assert tokenizer.eos_token_id not in ids
    assert tokenizer.eos_token_id in tokenizer("咳<|im_end|>嗽")["input_ids"]
    assert "<|im_end|>" in words.control_strings


def test_byte_pieces_stand_for_one_byte():
    """``<0x0A>`` is a line break; what only looks like such a piece is text."""
    words = vocabulary("sentence-piece")
    assert words.data_of(words.spell("痰\n".encode())) == "痰\n".encode()
    assert len(words.spell("痰".encode())) == 3


def test_tokens_without_a_row_in_the_model_are_left_out():
    """A tokenizer may know more tokens than the model: those can neither be scored nor said."""
    tokenizer = byte_level_tokenizer()
    words = Vocabulary(tokenizer, frozenset([tokenizer.eos_token_id]), size=300)
    assert max(words._bytes) < 300
    automaton = Automaton(CODECS["symbol"].graph("扁桃体", LABELS))
    assert max(words.allowed(automaton, automaton.start)) < 300


def test_a_tokenizer_that_cannot_write_every_byte_is_refused():
    """The error says what to use instead."""
    tokenizer = byte_level_tokenizer()
    with pytest.raises(UserError, match="byte-level or byte-fallback"):
        Vocabulary(tokenizer, frozenset([tokenizer.eos_token_id]), size=100)
