"""The memory of vLLM servers, by the shape of published models and by files."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from medner.core.errors import UserError
from medner.service.vllm_servers.memory import (
    CARDS,
    ModelShape,
    ServerMemory,
    gpu_shares,
    memory_in_words,
    server_memory,
)

#: From their config.json; what their authors say they weigh (10^9), and KiB of cache a token in bfloat16.
PUBLISHED = {
    "qwen2.5-7b-instruct": (ModelShape(28, 3584, 18944, 28, 4, 128, 152064), 7.62, 56),
    "llama-3.1-8b-instruct": (ModelShape(32, 4096, 14336, 32, 8, 128, 128256, adapted_embeddings=True), 8.03, 128),
    "qwen3-8b": (ModelShape(36, 4096, 12288, 32, 8, 128, 151936, adapted_embeddings=True), 8.19, 144),
    "glm-4-9b-chat": (ModelShape(40, 4096, 13696, 32, 2, 128, 151552), 9.40, 40),
}


def tiny(folder: Path) -> Path:
    """A folder with a shape and with two tensors of zeros, one of them in a layer."""
    folder.mkdir()
    shape = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    (folder / "config.json").write_text(
        json.dumps({**shape, "vocab_size": 10, "model_type": "qwen2"}), encoding="utf-8"
    )
    head = {
        name: {"dtype": "F32", "shape": [8, 16], "data_offsets": [512 * at, 512 * at + 512]}
        for at, name in enumerate(("model.layers.0.mlp.up_proj.weight", "lm_head.weight"))
    }
    written = json.dumps(head).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(written)) + written + bytes(1024))
    return folder


def line(model: Path, *more: str) -> tuple[str, ...]:
    """A server's options."""
    return ("--model", str(model), "--max-model-len", "512", "--dtype", "bfloat16", *more)


@pytest.mark.parametrize(("shape", "billions", "kib"), PUBLISHED.values(), ids=PUBLISHED)
def test_published_models_weigh_what_their_authors_say(shape: ModelShape, billions: float, kib: int) -> None:
    """Weights, and keys and values of a token."""
    assert shape.parameters / 1e9 == pytest.approx(billions, rel=0.002)
    assert shape.cache_bytes(2) == kib * 1024


def with_adapters(shape: ModelShape, slots: int, rank: int) -> ServerMemory:
    """A server in bfloat16 whose longest request has 1,792 tokens, as `symbol` needs."""
    adapters = slots * shape.slot_bytes(rank, 2)
    return ServerMemory(shape, 2 * shape.parameters, slots, rank, adapters, shape.cache_bytes(2), 1_792, 2)


def row(name: str) -> str:
    """A base's row in the table of docs/serving.md."""
    shape, _, kib = PUBLISHED[name]
    sizes = f"{2 * shape.parameters / 1e9:.1f} GB | {kib} KiB | {shape.slot_bytes(16, 2) / 1e6:.0f} MB"
    few, many = with_adapters(shape, 4, 16), with_adapters(shape, 16, 64)
    rooms = [f"{few.on_card(card).requests} / {many.on_card(card).requests}" for card in CARDS.values()]
    return f"| `{name}` | {sizes} | {' | '.join(rooms)} |"


@pytest.mark.parametrize("page", ["serving.md", "serving.zh-CN.md"])
def test_the_documented_table_is_what_is_computed(page: str) -> None:
    """Every base, on every card."""
    text = (Path(__file__).parents[3] / "docs" / page).read_text(encoding="utf-8")
    for name in PUBLISHED:
        assert row(name) in text


def test_more_adapters_leave_less_room() -> None:
    """An 8B model with four adapters of rank 16 fits a card of 24 GB; with sixteen of rank 64 it does not."""
    shape, _, _ = PUBLISHED["llama-3.1-8b-instruct"]
    few, many = with_adapters(shape, 4, 16), with_adapters(shape, 16, 64)
    rooms = [few.on_card(card) for card in CARDS.values()]
    assert [room.requests for room in rooms] == sorted(room.requests for room in rooms)
    assert rooms[0].requests > 16
    assert rooms[0].tokens * few.token <= rooms[0].cache
    lost = many.on_card(CARDS[24])
    assert lost.cache < 0
    assert "too little" in lost.in_words(many)


def test_a_command_line_says_what_its_server_takes(tmp_path: Path) -> None:
    """Weights in the server's number format, slots of the highest rank, whole blocks of cache."""
    memory = server_memory(line(tiny(tmp_path / "m"), "--enable-lora", "--max-loras", "3", "--max-lora-rank", "16"))
    assert memory.weights == 2 * 128 * 2
    # q, k, v, o: 8 by 8 each; gate, up, down: 8 by 16.
    assert memory.adapters == 3 * 16 * 2 * (4 * 16 + 3 * 24) * 2
    assert memory.token == 2 * 2 * 2 * 4 * 2
    room = memory.room(memory.token * 16 * 100)
    assert (room.tokens, room.requests) == (99 * 16, 99 // 32)


def test_span_taggers_hold_their_layers_and_no_cache(tmp_path: Path) -> None:
    """Each has copies of the layers that it runs; the base's output layer is not there."""
    model = tiny(tmp_path / "m")
    taggers = []
    for name, layers in (("a", 1), ("b", None)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "span.json").write_text(json.dumps({"layers": layers}), encoding="utf-8")
        taggers.append({"folder": str(tmp_path / name), "base": "m"})
    options = ("--hf-overrides", json.dumps({"medner_taggers": taggers}), "--no-enable-prefix-caching")
    memory = server_memory(line(model, *options))
    assert memory.weights == 1.5 * 128 * 2
    assert memory.token == 0
    assert "fits" in memory_in_words(line(model, *options), cache_gib=None)[1]


def test_servers_share_a_gpu_by_their_need(tmp_path: Path) -> None:
    """Together no more than the share; equally where a model is not on this machine."""
    small, large = line(tiny(tmp_path / "m")), line(tiny(tmp_path / "n"), "--max-loras", "90", "--max-lora-rank", "512")
    one, other = gpu_shares([small, large], 0.9)
    assert one < other
    assert 0.89 < one + other <= 0.9
    assert gpu_shares([line(tmp_path / "gone")] * 2, 0.92) == [0.46, 0.46]


def test_words_say_what_fits(tmp_path: Path) -> None:
    """A line for each card, one for a processor's cache, and why nothing is known."""
    model = line(tiny(tmp_path / "m"), "--max-loras", "1", "--max-lora-rank", "8")
    on_cards = memory_in_words(model, cache_gib=None)
    assert on_cards[0].startswith("memory: weights 0.0 GB, 1 adapter slots of rank 8")
    assert [one.split(",")[0].strip() for one in on_cards[1:]] == [f"GPU of {card} GB" for card in CARDS]
    assert "requests of 512 tokens at a time" in memory_in_words(model, cache_gib=1)[1]
    assert memory_in_words(line(tmp_path / "gone"), cache_gib=1) == [
        f"memory: not known: {tmp_path}/gone/config.json: does not say the model's shape (FileNotFoundError)"
    ]
    (tmp_path / "m/model.safetensors").unlink()
    with pytest.raises(UserError, match="holds no weights"):
        server_memory(model)
