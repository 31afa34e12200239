"""A model's body under any attention mask, for training: two-way layers, and rows that share a beginning."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

MASKED = "medner_masked"


@dataclass(frozen=True, slots=True)
class Masks:
    """Additive masks [rows, 1, queries, keys]: ``lower`` for layers below ``from_layer``, ``upper`` for the others."""

    lower: torch.Tensor
    upper: torch.Tensor
    from_layer: int

    def of(self, layer: int) -> torch.Tensor:
        """The mask of a layer."""
        return self.upper if layer >= self.from_layer else self.lower


def register() -> None:
    """Makes :data:`MASKED` known to transformers, as a value of ``attn_implementation``."""
    from transformers import AttentionInterface  # noqa: PLC0415  heavy

    AttentionInterface.register(MASKED, masked_attention)


def masked_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,  # noqa: ARG001  the masks come with the options
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attention for transformers' interface under the masks of ``options["masks"]``; a sliding window is ignored."""
    masks: Masks = options["masks"]
    # On a GPU the fused kernel for masks gave NaN after some steps (torch 2.11, H200, bf16); the plain one never did.
    with sdpa_kernel(SDPBackend.MATH) if query.is_cuda else nullcontext():
        said = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=masks.of(module.layer_idx).to(query.dtype),
            scale=scaling,
            enable_gqa=query.shape[1] != key.shape[1],
        )
    return said.transpose(1, 2).contiguous(), None


class MaskedBody:
    """The body of a causal language model that was loaded with :data:`MASKED` attention.

    ``model`` may be wrapped by PEFT; its output layer is not used.
    """

    def __init__(self, model: nn.Module) -> None:
        wrapped: Any = model
        plain = wrapped.get_base_model() if hasattr(model, "get_base_model") else wrapped
        self._body: Any = plain.base_model

    def __call__(
        self,
        ids_BT: torch.Tensor,
        positions_BT: torch.Tensor,
        seen_BTT: torch.Tensor,
        upper_BTT: torch.Tensor | None = None,
        from_layer: int = 0,
    ) -> torch.Tensor:
        """The last hidden states [B, T, width]. ``seen[b, q, k]``: query q may look at key k (boolean).

        Layers from ``from_layer`` on use ``upper`` instead, when it is given. A row that may see nothing at all
        becomes NaN, so padding should see itself.
        """
        lower = _additive(seen_BTT)
        upper = lower if upper_BTT is None else _additive(upper_BTT)
        hidden: torch.Tensor = self._body(
            input_ids=ids_BT,
            position_ids=positions_BT,
            attention_mask=None,
            use_cache=False,
            masks=Masks(lower, upper, from_layer),
        )[0]
        return hidden


def _additive(seen_BTT: torch.Tensor) -> torch.Tensor:
    blank = torch.zeros(seen_BTT.shape, dtype=torch.float32, device=seen_BTT.device)
    return blank.masked_fill(~seen_BTT, float("-inf")).unsqueeze(1)
