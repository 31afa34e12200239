"""A body of the Qwen2, Qwen3 and Llama families in eight-bit integers, for packed passes on a processor.

Products are integers (:mod:`medner.agents.engines.local.integer.int8`); norms, positions, attention and the sum that
runs through the layers are float32. Rows of a pass may have other adapters and other depths: a row leaves the pass
behind its last layer, and rows of equal tokens are one row as long as nothing tells them apart (the layers below the
first that an adapter changes or that looks both ways).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn import functional

from medner.agents.engines.local.integer.body_shape import BodyShape
from medner.agents.engines.local.integer.layers import IntegerLayers, norm_names
from medner.agents.engines.local.integer.stages import LayerStage, pass_stages
from medner.agents.engines.local.integer.weights import MOST_BYTES, PRODUCTS, BaseTensors, IntegerWeights, files_key
from medner.agents.engines.local.lora_files import check_fit, lora_pairs
from medner.agents.engines.local.packed import RowSegment
from medner.agents.engines.local.row_cache import KeyValueShape
from medner.core.errors import UserError
from medner.core.files.names import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from medner.store.models import MANIFEST

_HEAD = "lm_head.weight"


class IntegerBody:
    """The layers of a model on a processor. Not safe for concurrent use. UserError when its files lack a weight."""

    dtype = torch.float32
    #: Rows that are run once and whole keep nothing.
    needs_caches = False

    def __init__(self, folder: Path, shape: BodyShape, *, kept: Path | None, most_bytes: int = MOST_BYTES) -> None:
        self.shape = shape
        self.cache_shape = KeyValueShape(shape.layers, shape.kv_heads, shape.size)
        self._base = BaseTensors(folder)
        self._base.require(_names(shape))
        self._weights = IntegerWeights(self._base, _base_key(folder), kept, most_bytes=most_bytes)
        self._embeddings = self._base.mapped("model.embed_tokens.weight")
        self._norm = self._base.read("model.norm.weight").float()
        self._layers = IntegerLayers(self._base, self._weights, shape)
        self.adapters: tuple[str, ...] = ()

    def head(self) -> torch.Tensor:
        """The output layer's matrix [vocabulary, width], mapped."""
        return self._embeddings if self.shape.tied else self._base.mapped(_HEAD)

    def load_adapter(self, name: str, folder: Path) -> None:
        """Takes a LoRA adapter in PEFT's format; UserError when the folder holds none that fits the model."""
        if name in self.adapters:
            raise UserError(f"an adapter {name!r} is loaded already")
        pairs = lora_pairs(name, folder)
        known = {part for parts in PRODUCTS.values() for part in parts}
        for target, pair in pairs.items():
            if not self._base.has(target + ".weight"):
                raise UserError(f"adapter {name!r} does not fit the base model, which has no layer {target}")
            if target.removeprefix("model.layers.").partition(".")[2] not in known:
                raise UserError(f"adapter {name!r} adapts {target}, which int8 does not compute; take --dtype bf16")
            rows, columns = self._base.shape(target + ".weight")
            check_fit(name, target, (rows, columns), pair)
        key = files_key(folder / ADAPTER_CONFIG, folder / ADAPTER_WEIGHTS)
        self._weights.add_adapter(name, key, pairs)
        self.adapters = (*self.adapters, name)

    @torch.inference_mode()
    def run(self, tokens: Sequence[int], segments: Sequence[RowSegment]) -> torch.Tensor:
        """The last hidden states [tokens, width] of a packed pass, each row's behind its last layer; fills caches."""
        ends: list[int] = []
        for segment in segments:
            ends.append((ends[-1] if ends else 0) + segment.count)
        rows = [tuple(tokens[end - segment.count : end]) for segment, end in zip(segments, ends, strict=True)]
        stages = pass_stages(rows, segments, self.shape.layers, self._alike_until)
        first = [rows[place] for place in stages[0].source or range(len(rows))]
        states = self._embeddings[torch.tensor([token for row in first for token in row])].float()
        before: tuple[RowSegment, ...] = stages[0].segments
        done: list[tuple[int, torch.Tensor]] = []
        for number, stage in enumerate(stages):
            if number and stage.source is not None:
                states = torch.cat([_rows(states, before)[place] for place in stage.source])
            states = self._layers.run(states, stage)
            before = stage.segments
            leaving = number + 1 == len(stages) or len(stages[number + 1].segments) < len(stage.segments)
            if leaving:
                done += self._finished(states, stage)
        by_segment = dict(done)
        return torch.cat([by_segment[id(segment)] for segment in segments])

    def _finished(self, states: torch.Tensor, stage: LayerStage) -> list[tuple[int, torch.Tensor]]:
        """The normed states of the rows whose last layer this was."""
        shape = self.shape
        return [
            (id(segment), functional.rms_norm(rows, (shape.width,), self._norm, shape.epsilon))
            for segment, rows in zip(stage.segments, _rows(states, stage.segments), strict=True)
            if (segment.layers or shape.layers) == stage.end
        ]

    def _alike_until(self, segment: RowSegment) -> int:
        """The first layer in which a row differs from one of equal tokens that has another adapter."""
        changed = self._weights.first_changed(segment.adapter)
        return min(
            self.shape.layers if changed is None else changed,
            self.shape.layers if segment.two_way_from is None else segment.two_way_from,
        )


def _names(shape: BodyShape) -> list[str]:
    """The weights that a model must have."""
    names = ["model.embed_tokens.weight", "model.norm.weight", *([] if shape.tied else [_HEAD])]
    for layer in range(shape.layers):
        names += norm_names(layer)
        names += [f"model.layers.{layer}.{part}.weight" for parts in PRODUCTS.values() for part in parts]
    return names


def _rows(states: torch.Tensor, segments: Sequence[RowSegment]) -> tuple[torch.Tensor, ...]:
    return torch.split(states, [segment.count for segment in segments])


def _base_key(folder: Path) -> str:
    """What tells a base model's kept files apart from another's: its manifest, or its files' sizes and times."""
    manifest = folder / MANIFEST
    if manifest.is_file():
        return f"{folder.name}-{files_key(manifest)}"
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.glob("*.safetensors"))]
    return f"{folder.name}-{hashlib.sha256(repr(facts).encode()).hexdigest()[:12]}"
