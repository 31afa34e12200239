"""The vocabularies of small tokenizers of every family."""

from __future__ import annotations

from functools import cache

import pytest

pytest.importorskip("transformers")
from tokenizers import normalizers

from medner.agents.engines.local.vocabulary import Vocabulary
from tests.tiny_model import byte_level_tokenizer, sentence_piece_tokenizer

#: These give a text's own code points back.
EXACT = {
    "byte-level": byte_level_tokenizer,
    "sentence-piece": sentence_piece_tokenizer,
    "sentence-piece with a space": lambda: sentence_piece_tokenizer(adds_space=True),
}
TOKENIZERS = {**EXACT, "normalising": lambda: byte_level_tokenizer(normalizer=normalizers.NFC())}


@cache
def vocabulary(name: str) -> Vocabulary:
    """The vocabulary of one of the tokenizers."""
    tokenizer = TOKENIZERS[name]()
    return Vocabulary(tokenizer, frozenset([tokenizer.eos_token_id]))
