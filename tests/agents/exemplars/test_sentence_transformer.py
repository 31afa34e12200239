"""Entities as vectors of a sentence-transformers model, which is played by a model of four numbers a character."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from medner.agents.exemplars.embedding import Origin
from medner.agents.exemplars.sentence_transformer import SentenceTransformerEmbedder
from medner.core.errors import UserError
from medner.core.records import Span

TEXT = "患者三天前出现咳嗽、咳黄痰"


class Letters:
    """Reads ``max_seq_length`` tokens, one a character, with a special one at either end."""

    max_seq_length = 10
    more = 0

    def tokenizer(
        self, text: str, *, return_offsets_mapping: bool, truncation: bool, max_length: int
    ) -> dict[str, list[tuple[int, int]]]:
        assert return_offsets_mapping
        assert truncation
        places = [(at, at + 1) for at in range(len(text))][: max_length - 2]
        return {"offset_mapping": [(0, 0), *places, (0, 0)]}

    def encode(self, text: str, *, output_value: str, prompt: str, **options: bool) -> torch.Tensor:
        assert (output_value, prompt) == ("token_embeddings", "")
        read = text[: self.max_seq_length - 2]
        rows = [
            [9.0] * 4,
            *([float(ord(char) >> shift & 15) + 1 for shift in (0, 4, 8, 12)] for char in read),
            [9.0] * 4,
        ]
        return torch.tensor(rows + [[0.0] * 4] * self.more)


def embedder(model: Letters) -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(model, Origin("sentence-transformers", "letters", "0"))


async def test_a_vector_is_the_mean_over_the_entitys_tokens() -> None:
    """Neither special tokens nor neighbours count."""
    vector = (await embedder(Letters()).embed(TEXT, (Span(5, 7),)))[0]
    states = Letters().encode("出现", output_value="token_embeddings", prompt="").numpy()[1:-1]
    mean = states.mean(axis=0)
    assert np.allclose(vector, mean / np.linalg.norm(mean))


async def test_an_entity_beyond_what_the_model_reads_is_read_by_itself() -> None:
    """The model reads eight characters; what stands behind them still has its vector."""
    vectors = await embedder(Letters()).embed(TEXT, (Span(10, 13), Span(0, 2)))
    alone = (await embedder(Letters()).embed("咳黄痰", (Span(0, 3),)))[0]
    assert np.allclose(vectors[0], alone)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)


async def test_a_model_that_reads_other_tokens_is_refused() -> None:
    """When tokenizer and model disagree, nobody knows which vector is whose."""
    model = Letters()
    model.more = 2
    with pytest.raises(UserError, match="12 tokens where its tokenizer writes 10"):
        await embedder(model).embed(TEXT, (Span(0, 2),))


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    """Pickled weights are never loaded, so a folder with only those holds no model."""
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UserError, match="no model in the safetensors layout"):
        SentenceTransformerEmbedder.load(tmp_path)
