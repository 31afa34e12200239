"""Entities as vectors: which tokens are theirs, and what their vectors depend on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.exemplars.embedding import LEAD, EncoderEmbedder, origin_of, place_tokens
from medner.core.errors import UserError
from medner.core.records import Span
from tests.tiny_model import byte_level_tokenizer, save_tiny_model, sentence_piece_tokenizer

#: Rare characters and an emoji are several tokens of the tiny tokenizer, common words one for several characters.
TEXT = "患者三天前出现咳嗽、咳黄痰，骨髓龘髎🩺样痛。"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def engine(base):
    return LocalEngine.load(base)


class Words:
    """The tokenizer's half of an encoder."""

    def __init__(self, tokenizer) -> None:
        from medner.agents.engines.local.vocabulary import Vocabulary

        self._vocabulary = Vocabulary(tokenizer, frozenset())
        self.tokens = self._vocabulary.encode
        self.token_bytes = self._vocabulary.data

    async def encode(self, *_, **__):
        raise NotImplementedError


@pytest.fixture(scope="module", params=["byte-level", "sentence-piece", "normalising"])
def words(request):
    from tokenizers import normalizers

    return Words(
        {
            "byte-level": byte_level_tokenizer,
            "sentence-piece": lambda: sentence_piece_tokenizer(adds_space=True),
            "normalising": lambda: byte_level_tokenizer(normalizer=normalizers.NFKC()),
        }[request.param]()
    )


@given(
    text=st.text(st.sampled_from("咳嗽、咳黄痰扁桃体龘髎🩺①Ａe\u0301 3.8CT"), min_size=1, max_size=24),
    data=st.data(),
)
def test_a_character_has_the_tokens_that_hold_its_bytes(words, text, data) -> None:
    """Tokens stand in order; each that overlaps the span's bytes is the span's, and no other."""
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    placed = place_tokens(words, text)
    assert all(one <= other for one, other in pairwise(placed.starts))
    first, last = placed.stretch(text, Span(start, end))
    assert 0 <= first < last <= len(placed.tokens)
    low, high = len(text[:start].encode()), len(text[:end].encode())
    touching = [
        row
        for row, (at, beyond) in enumerate(zip(placed.starts, placed.ends, strict=True))
        if at < high and low < beyond
    ]
    assert not touching or touching == list(range(first, last))


def test_a_character_of_several_tokens_is_all_of_them() -> None:
    """A rare character is spelt in bytes, one a token: the span of it is those tokens together."""
    words = Words(byte_level_tokenizer())
    placed = place_tokens(words, TEXT)
    at = TEXT.index("龘")
    first, last = placed.stretch(TEXT, Span(at, at + 1))
    assert last - first > 1
    assert b"".join(words.token_bytes(token) for token in placed.tokens[first:last]) == "龘".encode()


async def test_a_vector_is_the_mean_of_the_entitys_states(base, engine) -> None:
    """It is what transformers' own model says, over the entity's tokens, scaled to length 1."""
    import torch
    from transformers import AutoModelForCausalLM

    embedder = EncoderEmbedder(engine, origin_of("llm", "tiny", base))
    span = Span(TEXT.index("龘"), TEXT.index("样"))
    vector = (await embedder.embed(TEXT, (span,)))[0]
    lead, placed = engine.tokens(LEAD), place_tokens(engine, TEXT)
    first, last = placed.stretch(TEXT, span)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=engine.model.dtype).eval()
    with torch.inference_mode():
        states = model.base_model(torch.tensor([[*lead, *placed.tokens]])).last_hidden_state[0].float()
    mean = states[len(lead) + first : len(lead) + last].mean(dim=0)
    assert np.allclose(vector, (mean / mean.norm()).numpy(), atol=0.02)
    assert np.isclose(np.linalg.norm(vector), 1)


async def test_only_what_stands_before_an_entity_changes_it(base, engine) -> None:
    """The same words in another sentence have another vector; what follows them has no say."""
    embedder = EncoderEmbedder(engine, origin_of("llm", "tiny", base))

    async def of(text):
        start = text.index("咳嗽")
        return (await embedder.embed(text, (Span(start, start + 2),)))[0]

    plain = await of("患者咳嗽三天。")
    assert np.allclose(plain, await of("患者咳嗽伴发热，体温升高。"), atol=1e-3)
    assert not np.allclose(plain, await of("否认发热、咳嗽。"), atol=1e-3)


def test_the_origin_is_the_models_content(tmp_path, base) -> None:
    """Neither the folder's name nor other files count; other weights do; a folder without weights is refused."""
    import shutil

    ours = origin_of("llm", "a", base)
    copy = tmp_path / "copy"
    shutil.copytree(base, copy)
    (copy / "notes.txt").write_text("hello")
    assert origin_of("llm", "b", copy).sha256 == ours.sha256
    other = save_tiny_model(tmp_path / "other", seed=1)
    assert origin_of("llm", "a", other).sha256 != ours.sha256
    with pytest.raises(UserError, match="no model in the safetensors layout"):
        origin_of("llm", "a", tmp_path)
