"""A body of the Qwen2, Qwen3 and Llama families in eight-bit integers, for packed passes on a processor.

Products are integers (:mod:`medner.agents.engines.local.integer.int8`); norms, positions, attention and the sum that
runs through the layers are float32. Rows of a pass may have other adapters and other depths: a row leaves the pass
behind its last layer, and rows of equal tokens are one row as long as nothing tells them apart (the layers below the
first that an adapter changes or that looks both ways).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

from medner.agents.engines.local.integer.body_shape import BodyShape
from medner.agents.engines.local.integer.int8 import (
    REST,
    QuantisedTokens,
    quantised_in_two_parts,
    quantised_product,
    quantised_tokens,
)
from medner.agents.engines.local.integer.stages import LayerStage, pass_stages
from medner.agents.engines.local.integer.weights import MOST_BYTES, PRODUCTS, BaseTensors, IntegerWeights, files_key
from medner.agents.engines.local.lora_files import check_fit, lora_pairs
from medner.agents.engines.local.packed import KeyGroup, KeyValueShape, PackedPass, RowSegment
from medner.core.errors import UserError
from medner.core.files.names import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from medner.store.models import MANIFEST

#: Tokens of the feed-forward part computed together: what they need between the products stays in the cache.
_FEED_FORWARD_TOKENS = 128


#: Products of fewer rows take other kernels, which add up in another order.
_LEAST_QUERIES = 8
_HEAD = "lm_head.weight"


@dataclass(frozen=True, slots=True)
class _Norms:
    """A layer's norms: before attention, before the feed-forward part, of queries and of keys (Qwen3)."""

    before: torch.Tensor
    between: torch.Tensor
    queries: torch.Tensor | None
    keys: torch.Tensor | None


@dataclass(slots=True)
class _Geometry:
    """What every layer of a stage needs: attention's groups, the turn of each position, whose tokens stand where."""

    packed: PackedPass
    cosines_T1S: torch.Tensor  # noqa: N815  a tensor's shape stands in its name
    sines_T1S: torch.Tensor  # noqa: N815
    owners: list[tuple[str | None, int, int]]


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
        self._norms = [self._norms_of(layer) for layer in range(shape.layers)]
        self._rates = shape.rope_theta ** -(torch.arange(0, shape.size, 2, dtype=torch.float32) / shape.size)
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
            states = self._layers(states, stage)
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

    def _layers(self, states: torch.Tensor, stage: LayerStage) -> torch.Tensor:
        geometry = self._geometry(stage.segments)
        for layer in range(stage.first, stage.end):
            states = self._attended(states, layer, geometry)
            states = self._fed_forward(states, layer, geometry)
        return states

    def _geometry(self, segments: Sequence[RowSegment]) -> _Geometry:
        packed = PackedPass(segments, device=torch.device("cpu"), dtype=torch.float32, least_queries=_LEAST_QUERIES)
        angles = packed.positions()[0].float().unsqueeze(1) * self._rates
        turned = torch.cat([angles, angles], dim=1).unsqueeze(1)
        owners: list[tuple[str | None, int, int]] = []
        at = 0
        for segment in segments:
            end = at + segment.count
            if owners and owners[-1][0] == segment.adapter:
                owners[-1] = (segment.adapter, owners[-1][1], end)
            else:
                owners.append((segment.adapter, at, end))
            at = end
        return _Geometry(packed, turned.cos(), turned.sin(), owners)

    def _attended(self, states: torch.Tensor, layer: int, geometry: _Geometry) -> torch.Tensor:
        """The states with what attention adds to them."""
        shape, norms = self.shape, self._norms[layer]
        normed = functional.rms_norm(states, (shape.width,), norms.before, shape.epsilon)
        heads = shape.heads + 2 * shape.kv_heads
        joined = self._in_two_parts(normed, layer, geometry).view(-1, heads, shape.size)
        turning = joined[:, : shape.heads + shape.kv_heads]
        if norms.queries is not None and norms.keys is not None:
            turning = torch.cat([
                functional.rms_norm(turning[:, : shape.heads], (shape.size,), norms.queries, shape.epsilon),
                functional.rms_norm(turning[:, shape.heads :], (shape.size,), norms.keys, shape.epsilon),
            ], dim=1)  # fmt: skip
        half = shape.size // 2
        other = torch.cat([-turning[..., half:], turning[..., :half]], dim=-1)
        turned = turning * geometry.cosines_T1S + other.mul_(geometry.sines_T1S)
        queries, keys = turned[:, : shape.heads], turned[:, shape.heads :]
        values = joined[:, shape.heads + shape.kv_heads :]
        attended = self._attention(queries, keys, values, layer, geometry.packed)
        return self._product(quantised_tokens(attended), "out", layer, geometry).add_(states)

    def _attention(
        self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, layer: int, packed: PackedPass
    ) -> torch.Tensor:
        """What each token [tokens, heads * size] takes from the tokens it may see."""
        shape, at = self.shape, 0
        for segment in packed.segments:
            if segment.cache is not None:
                here = slice(at, at + segment.count)
                segment.cache.write(layer, segment.start, keys[here].transpose(0, 1), values[here].transpose(0, 1))
            at += segment.count
        out = torch.empty(len(queries), shape.heads * shape.size)
        for group in packed.groups:
            rows = len(group.parts)
            seen_keys, seen_values = _seen(group, keys, values, layer)
            # The query heads that share a key-value head stand behind one another, so no key is ever repeated.
            asked = queries[group.taken].view(rows, -1, shape.kv_heads, shape.sharing, shape.size)
            attend = _attend_whole if group.seen is not None else _attend_part
            mixed = attend(
                asked.permute(0, 2, 3, 1, 4).reshape(rows, shape.kv_heads, -1, shape.size),
                seen_keys,
                seen_values,
                group.mask(shape.sharing, None, layer, torch.float32),
            )
            flat = mixed.view(rows, shape.kv_heads, shape.sharing, -1, shape.size).permute(0, 3, 1, 2, 4)
            out[group.given] = flat.reshape(-1, shape.heads * shape.size)[group.kept]
        return out

    def _fed_forward(self, states: torch.Tensor, layer: int, geometry: _Geometry) -> torch.Tensor:
        """The states with what the feed-forward part adds to them."""
        shape = self.shape
        normed = functional.rms_norm(states, (shape.width,), self._norms[layer].between, shape.epsilon)
        tokens = quantised_tokens(normed)
        for owner, first, end in geometry.owners:
            widen = self._weights.product(owner, layer, "gate_up").weight
            narrow = self._weights.product(owner, layer, "down").weight
            for at in range(first, end, _FEED_FORWARD_TOKENS):
                here = slice(at, min(at + _FEED_FORWARD_TOKENS, end))
                both = quantised_product(tokens.rows(here), widen, scaled=False)
                gate = functional.silu(both[:, : shape.inner].mul_(tokens.scales_T1[here]), inplace=True)
                # The other half's scale is a factor of the whole row, so it can wait until behind the last product.
                inner = quantised_tokens(gate.mul_(both[:, shape.inner :]))
                inner.scales_T1.mul_(tokens.scales_T1[here])
                states[here].add_(quantised_product(inner, narrow))
        return states

    def _product(self, tokens: QuantisedTokens, name: str, layer: int, geometry: _Geometry) -> torch.Tensor:
        """A product of all tokens, each with the weight of its row's adapter."""
        parts = []
        for owner, first, end in geometry.owners:
            product = self._weights.product(owner, layer, name)
            parts.append(quantised_product(tokens.rows(slice(first, end)), product.weight, product.bias_O))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _in_two_parts(self, normed: torch.Tensor, layer: int, geometry: _Geometry) -> torch.Tensor:
        """Queries, keys and values, whose activations are given as eight bits and the eight bits that these leave.

        Attention multiplies what rounding does to them: with one part, span scores differ by about half as much again
        from float32's (docs/log.md); the second costs 7 % of a layer.
        """
        coarse, rest = quantised_in_two_parts(normed)
        parts = []
        for owner, first, end in geometry.owners:
            product, here = self._weights.product(owner, layer, "qkv"), slice(first, end)
            first_part = quantised_product(coarse.rows(here), product.weight, scaled=False)
            second = quantised_product(QuantisedTokens(rest[here], coarse.scales_T1), product.weight, scaled=False)
            both = first_part.add_(second, alpha=1 / REST).mul_(coarse.scales_T1[here])
            parts.append(both if product.bias_O is None else both.add_(product.bias_O))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _norms_of(self, layer: int) -> _Norms:
        def read(name: str) -> torch.Tensor | None:
            whole = f"model.layers.{layer}.{name}.weight"
            return self._base.read(whole).float() if self._base.has(whole) else None

        before, between = (self._base.read(name).float() for name in _norm_names(layer))
        return _Norms(before, between, read("self_attn.q_norm"), read("self_attn.k_norm"))


def _norm_names(layer: int) -> list[str]:
    return [f"model.layers.{layer}.{name}.weight" for name in ("input_layernorm", "post_attention_layernorm")]


def _names(shape: BodyShape) -> list[str]:
    """The weights that a model must have."""
    names = ["model.embed_tokens.weight", "model.norm.weight", *([] if shape.tied else [_HEAD])]
    for layer in range(shape.layers):
        names += _norm_names(layer)
        names += [f"model.layers.{layer}.{part}.weight" for parts in PRODUCTS.values() for part in parts]
    return names


def _rows(states: torch.Tensor, segments: Sequence[RowSegment]) -> tuple[torch.Tensor, ...]:
    return torch.split(states, [segment.count for segment in segments])


def _seen(group: KeyGroup, keys: torch.Tensor, values: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The keys and values [rows, heads, keys, size] that a group's tokens may see."""
    if group.seen is not None:
        shape = (len(group.parts), group.keys, *keys.shape[1:])
        return tuple(one[group.seen].view(shape).transpose(1, 2) for one in (keys, values))  # type: ignore[return-value]
    stored = [part.cache.read(layer, group.keys) for part in group.parts if part.cache is not None]
    return torch.stack([one for one, _ in stored]), torch.stack([one for _, one in stored])


def _attend_whole(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Attention of rows that are run whole: they always have the same number of queries, so the fast kernel serves."""
    return functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)


def _attend_part(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Attention of rows that are run in parts, whose bits must not depend on how many tokens a part has.

    The fused kernel's do in float32, now and then; those of plain products do not.
    """
    scores = torch.matmul(queries, keys.transpose(-1, -2)).mul_(queries.shape[-1] ** -0.5)
    return torch.matmul(torch.softmax(scores.add_(mask), dim=-1), values)


def _base_key(folder: Path) -> str:
    """What tells a base model's kept files apart from another's: its manifest, or its files' sizes and times."""
    manifest = folder / MANIFEST
    if manifest.is_file():
        return f"{folder.name}-{files_key(manifest)}"
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.glob("*.safetensors"))]
    return f"{folder.name}-{hashlib.sha256(repr(facts).encode()).hexdigest()[:12]}"
