"""Linear layers in eight-bit integers (W8A8): a scale a row of weights, a scale a token of activations.

Products of integers are exact, so a token's result is the same to the last bit whatever else is in the pass: the
number of tokens, the draft, the batch. Rounding is symmetric, to the nearest of -127 to 127.

Two kernels, both of oneDNN. The prepacked one takes activations as unsigned bytes (128 is zero) and a weight that was
laid out once; it is up to twice as fast for few tokens, because nothing is rearranged in a call. It adds up in 32 bits
on processors with AVX-512 VNNI, AVX-VNNI or AMX. Others add pairs in 16 bits, which can overflow: :func:`is_exact`
tells, and :mod:`medner.agents.engines.local.formats` then takes another format.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

_ZERO = 128
_MOST = 127
#: What the first eight bits leave is at most half a step; so many steps of the second part are one of the first.
REST = 254
#: 1.5 * 2**23, where the steps of float32 are 1, and the zero of the bytes.
_ROUNDING = 12_582_912.0 + _ZERO
#: Smaller scales would be denormal numbers, or 0 for a row of zeros.
_LEAST_SCALE = 1e-30


@dataclass(frozen=True, slots=True)
class Int8Weight:
    """A weight [out, in] as integers with a scale a row, laid out for the processor's kernel."""

    out_features: int
    in_features: int
    packed: Any
    scales_O: torch.Tensor  # noqa: N815  a tensor's shape stands in its name
    _zeros_O: torch.Tensor  # noqa: N815


def has_int8_kernel() -> bool:
    """Whether this build of PyTorch has the prepacked integer kernel."""
    return (
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.onednn, "qlinear_prepack")
        and hasattr(torch.ops.onednn, "qlinear_pointwise")
    )


def quantised_rows(weight_OI: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The weight as signed bytes [out, in], and a scale a row [out] in float32."""
    weight_OI = weight_OI.detach().float()
    scales_O = (weight_OI.abs().amax(dim=1) / _MOST).clamp_min_(_LEAST_SCALE)
    return (weight_OI / scales_O.unsqueeze(1)).round_().to(torch.int8), scales_O


def int8_weight(integers_OI: torch.Tensor, scales_O: torch.Tensor) -> Int8Weight:
    """Lays a quantised weight out for :func:`int8_product`; what is given is not kept."""
    rows, columns = integers_OI.shape
    packed = torch.ops.onednn.qlinear_prepack(integers_OI.contiguous(), None)
    return Int8Weight(rows, columns, packed, scales_O, torch.zeros(rows, dtype=torch.int32))


def int8_product(x: torch.Tensor, weight: Int8Weight, bias_O: torch.Tensor | None = None) -> torch.Tensor:
    """``x W^T + b`` over [..., in], in float32."""
    return quantised_product(quantised_tokens(x), weight, bias_O).view(*x.shape[:-1], weight.out_features)


@dataclass(frozen=True, slots=True)
class QuantisedTokens:
    """Activations as unsigned bytes [tokens, in], 128 for zero, and a scale a token [tokens, 1]."""

    bytes_TI: torch.Tensor  # noqa: N815
    scales_T1: torch.Tensor  # noqa: N815

    def rows(self, here: slice) -> QuantisedTokens:
        """Some of the tokens."""
        return QuantisedTokens(self.bytes_TI[here], self.scales_T1[here])


def quantised_tokens(x: torch.Tensor) -> QuantisedTokens:
    """Activations [..., in] quantised token by token; several layers may share the result."""
    rows = x.reshape(-1, x.shape[-1]).float()
    scratch = rows.abs()
    scales = scratch.amax(dim=-1, keepdim=True).div_(_MOST).clamp_min_(_LEAST_SCALE)
    return QuantisedTokens(_as_bytes(torch.mul(rows, scales.reciprocal(), out=scratch).add_(_ROUNDING)), scales)


def quantised_in_two_parts(x: torch.Tensor) -> tuple[QuantisedTokens, torch.Tensor]:
    """Activations [tokens, in] as eight bits, and the eight bits that these leave, at 1/:data:`REST` of the scale."""
    scratch = x.abs()
    scales = scratch.amax(dim=-1, keepdim=True).div_(_MOST).clamp_min_(_LEAST_SCALE)
    exact = torch.mul(x, scales.reciprocal())
    torch.add(exact, _ROUNDING, out=scratch)
    coarse = QuantisedTokens(_as_bytes(scratch), scales)
    rest = exact.sub_(scratch.sub_(_ROUNDING)).mul_(REST).add_(_ROUNDING)
    return coarse, _as_bytes(rest)


def _as_bytes(shifted: torch.Tensor) -> torch.Tensor:
    """The lowest byte of floats that lie :data:`_ROUNDING` above a number from -128 to 127.

    Adding that number rounds to an integer, ties to even, and leaves it in the lowest bits: two passes over memory in
    place of four, one of which, from floats to bytes, PyTorch does without vector instructions.
    """
    return shifted.view(torch.int32).to(torch.uint8)


def quantised_product(
    tokens: QuantisedTokens, weight: Int8Weight, bias_O: torch.Tensor | None = None, *, scaled: bool = True
) -> torch.Tensor:
    """``x W^T + b`` [tokens, out] of quantised activations, in float32; ``scaled`` False leaves tokens' scales out."""
    out: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
        tokens.bytes_TI, 1.0, _ZERO, weight.packed, weight.scales_O, weight._zeros_O,
        None, 1.0, 0, torch.float32, "none", [], "",
    )  # fmt: skip
    if scaled:
        out.mul_(tokens.scales_T1)
    return out if bias_O is None else out.add_(bias_O)


@cache
def is_exact() -> bool:
    """Whether the kernel's sums are exact on this processor, at the largest sums there can be."""
    if not has_int8_kernel():
        return False
    for tokens in (1, 40):
        sign_TI = torch.ones(tokens, 512).where(torch.arange(tokens).unsqueeze(1) % 2 == 0, -torch.ones(1))
        weight = int8_weight(torch.full((32, 512), _MOST, dtype=torch.int8), torch.ones(32))
        given = QuantisedTokens((sign_TI * _MOST + _ZERO).to(torch.uint8), torch.ones(tokens, 1))
        expected = sign_TI.sum(dim=1, keepdim=True) * _MOST * _MOST
        try:
            if not torch.equal(quantised_product(given, weight), expected.expand(tokens, 32)):
                return False
        except RuntimeError:  # what a build says that has the operator and not the kernel
            return False
    return True
