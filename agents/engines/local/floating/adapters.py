"""LoRA adapters for packed passes: each row of a pass may use another adapter, or none.

PEFT's own layers run one adapter for all tokens and spend several passes over memory on each layer. In a packed pass
all adapters of a layer are two small products more, added by the kernel that computes the second.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from medner.agents.engines.local.floating.prepacked import PrepackedLinear, packed_product, packed_sum, packed_weight
from medner.agents.engines.local.lora_files import check_fit, lora_pairs
from medner.core.errors import UserError

#: What an adapter can stand on.
Linear = nn.Linear | PrepackedLinear


#: Which columns of a layer's joined matrices belong to which adapter: (name, rank), in order.
Columns = tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Routing:
    """Whose the tokens of the present pass are: (adapter, first, end), and how many tokens there are."""

    dtype: torch.dtype
    device: torch.device
    stretches: list[tuple[str, int, int]] = field(default_factory=list)
    tokens: int = 0
    _masks: dict[Columns, torch.Tensor | None] = field(default_factory=dict)

    def set(self, stretches: list[tuple[str, int, int]], tokens: int) -> None:
        """A new pass."""
        self.stretches, self.tokens = stretches, tokens
        self._masks.clear()

    def concerns(self, columns: Columns) -> bool:
        """Whether some token has one of the adapters."""
        return any(name == mine for name, _, _ in self.stretches for mine, _ in columns)

    def mask(self, columns: Columns) -> torch.Tensor | None:
        """1 where a token may use a column, else 0: [tokens, columns]; None when all may use all."""
        if columns not in self._masks:
            whole = len(columns) == 1 and self.stretches == [(columns[0][0], 0, self.tokens)]
            self._masks[columns] = None if whole else self._built(columns)
        return self._masks[columns]

    def _built(self, columns: Columns) -> torch.Tensor:
        mask = torch.zeros(self.tokens, sum(rank for _, rank in columns), dtype=self.dtype, device=self.device)
        for name, first, end in self.stretches:
            left = 0
            for mine, rank in columns:
                if mine == name:
                    mask[first:end, left : left + rank] = 1
                left += rank
        return mask


class AdaptedLinear(nn.Module):
    """A linear layer with adapters: ``W x``, plus ``B A x`` for the tokens of an adapter's rows.

    The adapters' matrices are joined, so that all of them together are two products, whatever the rows; the columns
    of other adapters are set to 0 in between, which changes no bit of the sum.
    """

    def __init__(self, base: Linear, routing: Routing) -> None:
        super().__init__()
        self.base = base
        self._routing = routing
        self._columns: Columns = ()
        self._matrices: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._down: Any = None
        self._up: Any = None

    def add(self, name: str, down_RI: torch.Tensor, up_OR: torch.Tensor) -> None:
        """Takes an adapter's two matrices; the scale is already in the second."""
        self._columns = (*self._columns, (name, len(down_RI)))
        self._matrices.append((down_RI, up_OR))
        down = torch.cat([down for down, _ in self._matrices]).to(self._routing.device, self._routing.dtype)
        up = torch.cat([up for _, up in self._matrices], dim=1).to(self._routing.device, self._routing.dtype)
        if isinstance(self.base, PrepackedLinear):
            down, up = packed_weight(down), packed_weight(up)
        self._down, self._up = down, up

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The layer over packed tokens [1, tokens, in]."""
        out: torch.Tensor = self.base(x)
        if not self._routing.concerns(self._columns):
            return out
        mask = self._routing.mask(self._columns)
        if isinstance(self.base, PrepackedLinear):
            inner = packed_product(x, self._down)
            return packed_sum(inner if mask is None else inner * mask, self._up, out)
        inner = functional.linear(x, self._down)
        return out + functional.linear(inner if mask is None else inner * mask, self._up)


class Adapters:
    """The adapters on one model: loads them, and tells its layers which tokens are whose."""

    def __init__(self, model: Any, *, dtype: torch.dtype, device: torch.device) -> None:
        self._model = model
        self._routing = Routing(dtype, device)
        self.names: tuple[str, ...] = ()

    def load(self, name: str, folder: Path) -> None:
        """Loads a LoRA adapter in PEFT's format; UserError when the folder holds none that fits the model."""
        if name in self.names:
            raise UserError(f"an adapter {name!r} is loaded already")
        pairs = lora_pairs(name, folder)
        # All of it is looked at before any layer changes.
        for target, pair in pairs.items():
            linear = self._linear(name, target)
            check_fit(name, target, (linear.out_features, linear.in_features), pair)
        for target, pair in pairs.items():
            self._layer(target).add(name, pair.down_RI, pair.up_OR)
        self.names = (*self.names, name)

    def route(self, stretches: list[tuple[str, int, int]], tokens: int) -> None:
        """Sets whose the tokens of the next pass are, and how many there are."""
        self._routing.set(stretches, tokens)

    def _linear(self, name: str, target: str) -> Linear:
        try:
            module = self._model.get_submodule(target)
        except AttributeError as error:
            raise UserError(f"adapter {name!r} does not fit the base model, which has no layer {target}") from error
        linear = module.base if isinstance(module, AdaptedLinear) else module
        if not isinstance(linear, Linear):
            raise UserError(f"adapter {name!r} adapts {target}, which is not a linear layer")
        return linear

    def _layer(self, target: str) -> AdaptedLinear:
        module = self._model.get_submodule(target)
        if isinstance(module, AdaptedLinear):
            return module
        adapted = AdaptedLinear(module, self._routing)
        parent, _, leaf = target.rpartition(".")
        setattr(self._model.get_submodule(parent), leaf, adapted)
        return adapted
