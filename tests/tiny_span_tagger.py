"""The folder of a span tagger with random weights on the tiny model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch

from medner.agents.evidence.lexicon import Lexicon, StringCounts
from medner.agents.taggers.spans.head import SpanHead, SpanShape
from medner.agents.taggers.spans.settings import SpanSettings
from medner.core.labels import load_label_set
from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import adapted_model, save_adapter

CODES = load_label_set("cmeee-v2").codes
SHAPE = SpanShape(64, len(CODES), 8, 4)
CARD = 'name = "{name}"\nbase = "tiny"\nlabels = "cmeee-v2"\nstrategy = "span"\n'


def save_tiny_span_tagger(
    base: Path, folder: Path, *, seed: int = 1, layers: int | None = None, width: int = SHAPE.width
) -> Path:
    """Adapter, head, settings and card: two-way from layer 1 on, on the first ``layers`` of the base's two."""
    torch.manual_seed(seed)
    model = adapted_model(base, TaggerTraining(rank=4, alpha=8, first_layer=0, layers=layers))
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.05)
    save_adapter(model, folder)
    SpanHead(replace(SHAPE, width=width)).save(folder)
    SpanSettings(types=CODES, two_way_from=1, layers=layers).save(folder)
    (folder / "card.toml").write_text(CARD.format(name=folder.name), encoding="utf-8")
    return folder


def save_tiny_evidence_judge(base: Path, folder: Path, *, seed: int = 1, width: int = SHAPE.width) -> Path:
    """A judge that reads: a span tagger, and trees that ask what it and the taggers think."""
    save_tiny_span_tagger(base, folder, seed=seed, width=width)
    card = f'name = "{folder.name}"\nkind = "evidence"\nbase = "{base.name}"\nlabels = "cmeee-v2"\nthreshold = 0.5\n'
    (folder / "card.toml").write_text(card, encoding="utf-8")
    trees = {
        "features": ["reader", "taggers"],
        "depth": 1,
        "roots": [0, 3],
        "feature": [0, -1, -1, 1, -1, -1],
        "threshold": [0.0] * 6,
        "left": [1, 1, 2, 4, 4, 5],
        "right": [2, 1, 2, 5, 4, 5],
        "value": [0.0, -2.0, 2.0, 0.0, -0.5, 0.5],
    }
    (folder / "evidence.json").write_text(json.dumps(trees), encoding="utf-8")
    counts = {"咳嗽": StringCounts(3, 0, tuple(int(code == "sym") * 3 for code in CODES), (0,) * len(CODES))}
    Lexicon.of(CODES, b"salt", counts).save(folder / "lexicon.npz")
    return folder
