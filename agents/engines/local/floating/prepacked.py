"""Linear layers with their weights laid out once for the processor's bfloat16 instructions.

PyTorch's plain bfloat16 product rearranges the weights in every call. For the few dozen tokens of a decoding pass that
costs as much as the product itself; laid out beforehand the same kernels give the same bits in about half the time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

#: The number of tokens the layout is chosen for; others work as well.
TOKENS = 32


def can_prepack(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether this build of PyTorch on this processor has the prepacked kernels."""
    operators = torch.ops.mkldnn
    return (
        device.type == "cpu"
        and dtype == torch.bfloat16
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(operators, "_reorder_linear_weight")
        and hasattr(operators, "_linear_pointwise")
        and bool(operators._is_mkldnn_bf16_supported())
    )


def packed_weight(weight_OI: torch.Tensor) -> Any:
    """A weight matrix laid out for :func:`packed_product`."""
    return torch.ops.mkldnn._reorder_linear_weight(weight_OI.contiguous(), TOKENS)


def packed_product(x: torch.Tensor, weight: Any, bias: torch.Tensor | None = None) -> torch.Tensor:
    """``x W^T + b`` over [..., in]."""
    out: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return out


def packed_sum(x: torch.Tensor, weight: Any, to: torch.Tensor) -> torch.Tensor:
    """``x W^T + to``, in one go."""
    out: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(x, to, weight, None, "add")
    return out


class PrepackedLinear(nn.Module):
    """A frozen linear layer with its weight laid out for the processor. Inference only."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        weight = linear.weight.detach()
        self._weight = packed_weight(weight)
        self._bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The layer over [..., in]."""
        return packed_product(x, self._weight, self._bias)


@torch.no_grad()
def prepack(model: nn.Module) -> int:
    """Replaces every linear layer under ``model`` by its prepacked form, freeing the old weight; returns how many."""
    linears = [(name, module) for name, module in model.named_modules() if type(module) is nn.Linear]
    for name, module in linears:
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, PrepackedLinear(module))
    return len(linears)
