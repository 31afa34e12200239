"""Characters on tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.agents.taggers.spans.alignment import PLACES, align, char_tokens
from tests.tiny_model import byte_level_tokenizer, sentence_piece_tokenizer

pytest.importorskip("tokenizers")
pytest.importorskip("torch")
from medner.agents.engines.local.vocabulary import Vocabulary
from medner.agents.taggers.spans.tagger import framed


@pytest.fixture(scope="module", params=["bytes", "sentence-piece"])
def vocabulary(request):
    tokenizer = byte_level_tokenizer() if request.param == "bytes" else sentence_piece_tokenizer()
    return Vocabulary(tokenizer, frozenset({tokenizer.eos_token_id}))


@given(st.data())
def test_every_character_ends_in_its_token(vocabulary, data):
    """Up to the end of a character's token the tokens hold that character's last byte; one token less does not."""
    text = data.draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
    aligned = align(text, vocabulary.encode, vocabulary.data)
    assert len(aligned.token_of) == len(aligned.place_of) == len(text)
    assert list(aligned.token_of) == sorted(aligned.token_of)
    assert all(0 <= place < PLACES for place in aligned.place_of)
    if vocabulary.data_of(aligned.tokens) == text.encode():
        for place, token in enumerate(aligned.token_of):
            upto = len(text[: place + 1].encode())
            assert len(vocabulary.data_of(aligned.tokens[:token])) < upto
            assert len(vocabulary.data_of(aligned.tokens[: token + 1])) >= upto


def test_characters_of_one_token_have_unlike_places():
    """Of a token of three characters, each is told apart by its place; so are those of a token of two."""
    tokens = char_tokens("扁桃体红肿", ["扁桃体".encode(), "红肿".encode()])
    assert tokens == [0, 0, 0, 1, 1]
    names = {1: "扁桃体".encode(), 2: "红肿".encode()}
    aligned = align("扁桃体红肿", lambda _: [1, 2], names.__getitem__)
    assert len(set(aligned.place_of[:3])) == 3
    assert aligned.place_of[3] != aligned.place_of[4]


def test_a_character_of_many_tokens_is_at_its_last():
    """A character that is three byte tokens stands at the third, where the model has read all of it."""
    data = [bytes([byte]) for byte in "咽".encode()]
    assert char_tokens("咽", data) == [2]


def test_a_tokenizer_that_rewrites_the_text_still_gives_every_character_a_token():
    """A tokenizer that composes characters is asked for one character at a time."""
    names = {7: "é".encode(), 8: b"e", 9: "\u0301".encode()}
    encode = {"e\u0301": [7], "e": [8], "\u0301": [9]}.__getitem__
    aligned = align("e\u0301", encode, names.__getitem__)
    assert aligned.tokens == (8, 9)
    assert aligned.token_of == (0, 1)


def test_a_token_without_bytes_does_not_end_the_run():
    """A tag for which a tokenizer has a token of its own is read one character at a time: it is text here."""
    from tokenizers import AddedToken

    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens([AddedToken("<tag>", special=False)])
    vocabulary = Vocabulary(tokenizer, frozenset({tokenizer.eos_token_id}))
    aligned = align("<tag>咳", vocabulary.encode, vocabulary.data)
    assert vocabulary.data_of(aligned.tokens) == "<tag>咳".encode()
    assert len(set(aligned.token_of)) == len("<tag>咳")


def test_a_text_of_dropped_characters_stands_on_the_opening():
    """Characters for which the tokenizer has no token at all still point at a token there is."""
    names = {3: b"\n"}
    encode = {"\n": [3], "\u200b": []}.__getitem__
    aligned = framed(align("\u200b", encode, names.__getitem__), encode)
    assert (aligned.tokens, aligned.token_of) == ((3,), (0,))
