"""The folder of a span tagger with random weights on the tiny model."""

from __future__ import annotations

from pathlib import Path

import torch

from medner.agents.taggers.spans.head import SpanHead, SpanShape
from medner.agents.taggers.spans.settings import SpanSettings
from medner.core.labels import load_label_set
from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import adapted_model, save_adapter

CODES = load_label_set("cmeee-v2").codes
SHAPE = SpanShape(64, len(CODES), 8, 4)
CARD = 'name = "{name}"\nbase = "tiny"\nlabels = "cmeee-v2"\nstrategy = "span"\n'


def save_tiny_span_tagger(base: Path, folder: Path, *, seed: int = 1, layers: int | None = None) -> Path:
    """Adapter, head, settings and card: two-way from layer 1 on, on the first ``layers`` of the base's two."""
    torch.manual_seed(seed)
    model = adapted_model(base, TaggerTraining(rank=4, alpha=8, first_layer=0, layers=layers))
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.05)
    save_adapter(model, folder)
    SpanHead(SHAPE).save(folder)
    SpanSettings(types=CODES, two_way_from=1, layers=layers).save(folder)
    (folder / "card.toml").write_text(CARD.format(name=folder.name), encoding="utf-8")
    return folder
