"""Packed passes against transformers' own attention, family by family."""

import pytest

pytest.importorskip("torch")
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    Glm4Config,
    GlmConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
)

from medner.agents.engines.local.model import LocalModel
from medner.agents.engines.local.packed import RowSegment
from medner.agents.engines.local.row_cache import BLOCK, KeyValueShape, RowCache
from tests.tiny_model import byte_level_tokenizer, save_tiny, sentence_piece_tokenizer

COMMON = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
}
FAMILIES = {
    "qwen2-tied": lambda size: Qwen2Config(**COMMON, vocab_size=size, tie_word_embeddings=True),
    "qwen2-window": lambda size: Qwen2Config(
        **COMMON, vocab_size=size, use_sliding_window=True, sliding_window=20, max_window_layers=1
    ),
    "qwen3": lambda size: Qwen3Config(**COMMON, vocab_size=size, head_dim=32),
    "llama": lambda size: LlamaConfig(**COMMON, vocab_size=size),
    "mistral-window": lambda size: MistralConfig(**COMMON, vocab_size=size, sliding_window=16),
    "gemma3": lambda size: Gemma3TextConfig(
        **COMMON,
        vocab_size=size,
        head_dim=32,
        sliding_window=24,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    ),
    "glm": lambda size: GlmConfig(**COMMON, vocab_size=size, head_dim=16, pad_token_id=0),
    "glm4": lambda size: Glm4Config(**COMMON, vocab_size=size, head_dim=16, pad_token_id=0),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_passes_give_what_transformers_gives(family, tmp_path):
    """Two rows of unequal length, spread over passes that cross blocks and windows, next to one another."""
    tokenizer = sentence_piece_tokenizer() if family == "gemma3" else byte_level_tokenizer()
    config = FAMILIES[family](len(tokenizer))
    config.eos_token_id = tokenizer.eos_token_id
    folder = save_tiny(tmp_path, config, tokenizer)
    model = LocalModel(folder, dtype=torch.float32, device=torch.device("cpu"))
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval()
    rows = [[4 + place * 7 % 290 for place in range(150)], [4 + place * 11 % 290 for place in range(90)]]
    caches = [model.new_cache(8), model.new_cache(8)]
    done = [0, 0]
    seen: list[list[torch.Tensor]] = [[], []]
    for counts in ((5, 60), (1, 3), (70, 1), (74, 26)):
        spans = [(at, at + count) for at, count in zip(done, counts, strict=True)]
        tokens = [token for row, (first, end) in zip(rows, spans, strict=True) for token in row[first:end]]
        segments = [RowSegment(cache, first, end - first) for cache, (first, end) in zip(caches, spans, strict=True)]
        hidden = model.hidden(tokens, segments).split(list(counts))
        for part, states in zip(seen, hidden, strict=True):
            part.append(states)
        done = [end for _, end in spans]
    assert done == [150, 90]
    with torch.inference_mode():
        for row, parts in zip(rows, seen, strict=True):
            wanted = plain.base_model(torch.tensor([row]), use_cache=False)[0][0]
            assert torch.allclose(torch.cat(parts), wanted, atol=2e-4, rtol=1e-4)
            logits = plain(torch.tensor([row]), use_cache=False).logits[0, -1]
            assert model.scores(parts[-1][-1], range(50)) == pytest.approx(logits[:50].tolist(), abs=1e-3)
            assert model.best(parts[-1][-1:], [()]) == [int(logits.argmax())]


def test_refused_drafts_leave_no_trace(tiny_base):
    """Tokens that were run and refused are overwritten: what follows is as if they had never been."""
    model = LocalModel(tiny_base, dtype=torch.float32, device=torch.device("cpu"))
    tokens = [5 + place % 300 for place in range(100)]
    clean = model.hidden(tokens, [RowSegment(model.new_cache(), 0, 100)])
    cache = model.new_cache()
    model.hidden([*tokens[:50], *[77] * 80], [RowSegment(cache, 0, 130)])
    again = model.hidden(tokens[50:], [RowSegment(cache, 50, 50)])
    assert torch.allclose(clean[50:], again, atol=1e-5)


def test_bfloat16_states_are_the_same_bits_in_any_pass(tiny_base):
    """A token's state does not depend on what else runs in its pass, nor on how its row was spread over passes."""
    model = LocalModel(tiny_base, dtype=torch.bfloat16, device=torch.device("cpu"))
    tokens = [5 + place * 13 % 300 for place in range(140)]
    whole = model.hidden(tokens, [RowSegment(model.new_cache(), 0, 140)])
    cache, other = model.new_cache(), model.new_cache()
    parts = []
    for first, end in ((0, 3), (3, 4), (4, 63), (63, 66), (66, 140)):
        segments = [RowSegment(other, 0, 9), RowSegment(cache, first, end - first)]
        parts.append(model.hidden([*tokens[:9], *tokens[first:end]], segments)[9:])
    assert torch.equal(whole, torch.cat(parts))


def test_a_cache_grows_and_keeps_what_it_holds():
    """Capacity is whole blocks; growing keeps keys and values, and a prefix is copied, not shared."""
    shape = KeyValueShape(layers=1, heads=2, size=4)
    cache = RowCache(shape, dtype=torch.float32, device=torch.device("cpu"), capacity=1)
    keys, values = torch.randn(2, 10, 4), torch.randn(2, 10, 4)
    cache.write(0, 0, keys, values)
    cache.reserve(3 * BLOCK + 1)
    read = cache.read(0, 4 * BLOCK)
    assert torch.equal(read[0][:, :10], keys)
    assert torch.equal(read[1][:, :10], values)
    assert not read[0][:, 10:].any()
    copy = RowCache(shape, dtype=torch.float32, device=torch.device("cpu"), capacity=1)
    copy.begin_with(cache, 10)
    copy.write(0, 0, keys + 1, values + 1)
    assert torch.equal(cache.read(0, 10)[0], keys)
