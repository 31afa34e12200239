"""The folder of an LLM-CLS filter with random weights on a tiny model."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import adapted_model, save_adapter

CARD = 'name = "{name}"\nkind = "llm-cls"\nbase = "{base}"\nlabels = "cmeee-v2"\nthreshold = 0.4\ntemperature = 1.5\n'


def save_tiny_filter(base: Path, folder: Path, *, seed: int = 1, width: int = 64, two_way_from: int | None = 1) -> Path:
    """Adapter, classification layer and card; the sentence looks both ways from a layer on, None: from none."""
    torch.manual_seed(seed)
    model = adapted_model(base, TaggerTraining(rank=4, alpha=8, first_layer=0))
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.05)
    save_adapter(model, folder)
    weights = {"weight": torch.randn(1, width) / width**0.5, "bias": torch.tensor([0.3])}
    save_file(weights, folder / "classifier.safetensors")
    card = CARD.format(name=folder.name, base=base.name)
    card += "" if two_way_from is None else f"two_way_from = {two_way_from}\n"
    (folder / "card.toml").write_text(card, encoding="utf-8")
    return folder
