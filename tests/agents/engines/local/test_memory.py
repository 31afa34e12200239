"""How much memory a base model takes, reckoned from its files."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from medner.agents.engines.local.memory import base_memory

LAYER, EMBEDDING = 1_000, 300


def _base(folder: Path) -> Path:
    folder.mkdir()
    layers = {f"model.layers.{number}.weight": torch.zeros(LAYER) for number in range(4)}
    ends = {"model.embed_tokens.weight": torch.zeros(EMBEDDING), "lm_head.weight": torch.zeros(EMBEDDING)}
    save_file({**layers, **ends}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"num_hidden_layers": 4}), encoding="utf-8")
    return folder


def _adapter(folder: Path, layers: int | None = None, *, spans: bool = True) -> Path:
    folder.mkdir()
    save_file({"model.layers.0.lora_A.weight": torch.zeros(10)}, folder / "adapter_model.safetensors")
    if spans:
        (folder / "span.json").write_text(json.dumps({"layers": layers}), encoding="utf-8")
    return folder


def test_span_taggers_take_the_layers_that_they_run(tmp_path: Path) -> None:
    """Two of four layers cost half a model, and no output layer; a writer costs all of both."""
    base = _base(tmp_path / "base")
    two, all_of_them = _adapter(tmp_path / "two", 2), _adapter(tmp_path / "all")
    half = base_memory(base, [two], "int8")
    assert half == 1.2 * (2 * LAYER * 1.05 + EMBEDDING * 2)
    assert base_memory(base, [two, all_of_them], "int8") == 1.2 * (6 * LAYER * 1.05 + EMBEDDING * 2)
    writer = _adapter(tmp_path / "writer", spans=False)
    # The base without an adapter, the writer, and half a model.
    assert base_memory(base, [two, writer], "int8") == 1.2 * (10 * LAYER * 1.05 + 2 * EMBEDDING * 2)
    assert base_memory(base, [], "int8") == 1.2 * (4 * LAYER * 1.05 + 2 * EMBEDDING * 2)


def test_other_formats_have_the_layers_once(tmp_path: Path) -> None:
    """Adapters lie beside them."""
    base, two = _base(tmp_path / "base"), _adapter(tmp_path / "two", 2)
    assert base_memory(base, [two], "bf16") == 1.2 * (4 * LAYER * 2 + 2 * EMBEDDING * 2 + 2 * 10 * 2)
