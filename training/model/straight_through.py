"""Frozen linear layers in eight-bit integers that gradients pass through, for training on a processor.

The forward pass uses the kernels of inference, so an adapter learns against such rounding as it will meet: not the very
same, because inference merges the adapter before it rounds the weights, and gives queries, keys and values activations
in two parts. The gradient of the layer's input is a product of integers as well, a scale a token of the gradient and a
scale a column of the weight; rounding itself counts as the identity (the straight-through estimator). That is the
SwitchBack of Wortsman et al. 2023, "Stable and low-precision training for large-scale vision-language models", whose
third product, the weight's gradient, a frozen weight does not have.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from medner.agents.engines.local.integer.int8 import Int8Weight, int8_product, int8_weight, quantised_rows


class _Product(torch.autograd.Function):
    """``x W^T + b`` in integers; its gradient by x in integers too."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: StraightThroughLinear) -> torch.Tensor:
        ctx.layer, ctx.dtype = layer, x.dtype
        return int8_product(x, layer.int8, layer.bias)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, None]:
        if not ctx.needs_input_grad[0]:
            return None, None
        return int8_product(gradients[0], ctx.layer.int8_transposed).to(ctx.dtype), None


class StraightThroughLinear(nn.Linear):
    """A frozen linear layer whose products run in integers. It keeps its weight, which PEFT asks for its shape."""

    int8: Int8Weight
    int8_transposed: Int8Weight

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002  the name that PyTorch gave it
        """The layer over [..., in], in float32."""
        out: torch.Tensor = _Product.apply(input, self)  # type: ignore[no-untyped-call]
        return out


@torch.no_grad()
def quantise_linear_layers(body: nn.Module) -> int:
    """Makes every plain linear layer under ``body`` a :class:`StraightThroughLinear`; returns how many."""
    layers: list[Any] = [module for module in body.modules() if type(module) is nn.Linear]
    for layer in layers:
        layer.__class__ = StraightThroughLinear
        layer.int8 = int8_weight(*quantised_rows(layer.weight))
        layer.int8_transposed = int8_weight(*quantised_rows(layer.weight.T))
        if layer.bias is not None:
            layer.bias.data = layer.bias.data.float()
    return len(layers)
