"""The layers of a body in eight-bit integers: norms, products, attention, the feed-forward part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from medner.agents.engines.local.integer.attention import attended
from medner.agents.engines.local.integer.body_shape import BodyShape
from medner.agents.engines.local.integer.int8 import (
    REST,
    QuantisedTokens,
    quantised_in_two_parts,
    quantised_product,
    quantised_tokens,
)
from medner.agents.engines.local.integer.stages import LayerStage
from medner.agents.engines.local.integer.weights import BaseTensors, IntegerWeights
from medner.agents.engines.local.packed import PackedPass, RowSegment

#: Tokens of the feed-forward part computed together: what they need between the products stays in the cache.
_FEED_FORWARD_TOKENS = 128
#: Products of fewer rows take other kernels, which add up in another order.
_LEAST_QUERIES = 8


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


class IntegerLayers:
    """Runs the tokens of a pass through some of the layers, each token with the weights of its row's adapter."""

    def __init__(self, base: BaseTensors, weights: IntegerWeights, shape: BodyShape) -> None:
        self._shape = shape
        self._base = base
        self._weights = weights
        self._norms = [self._norms_of(layer) for layer in range(shape.layers)]
        self._rates = shape.rope_theta ** -(torch.arange(0, shape.size, 2, dtype=torch.float32) / shape.size)

    def run(self, states: torch.Tensor, stage: LayerStage) -> torch.Tensor:
        """The states [tokens, width] behind the last layer of a stage."""
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
        shape, norms = self._shape, self._norms[layer]
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
        mixed = attended(queries, keys, values, layer, geometry.packed)
        return self._product(quantised_tokens(mixed), "out", layer, geometry).add_(states)

    def _fed_forward(self, states: torch.Tensor, layer: int, geometry: _Geometry) -> torch.Tensor:
        """The states with what the feed-forward part adds to them."""
        shape = self._shape
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

        before, between = (self._base.read(name).float() for name in norm_names(layer))
        return _Norms(before, between, read("self_attn.q_norm"), read("self_attn.k_norm"))


def norm_names(layer: int) -> list[str]:
    """The weights of a layer's norms that every model has."""
    return [f"model.layers.{layer}.{name}.weight" for name in ("input_layernorm", "post_attention_layernorm")]
