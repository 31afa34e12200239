"""The keys and values of one row, kept between the passes that it takes part in."""

from __future__ import annotations

from dataclasses import dataclass

import torch

#: Attention reads keys up to the next multiple of this behind a query's own place. How a kernel sums depends on how
#: many keys it is given; with this it depends on the query alone, so that a token's hidden state is the same to the
#: last bit whether it was run by itself, in a draft or in a batch (bfloat16 on a CPU; see tests).
BLOCK = 64


def whole_blocks(length: int) -> int:
    """The length, rounded up to whole blocks."""
    return -(-length // BLOCK) * BLOCK


@dataclass(frozen=True, slots=True)
class KeyValueShape:
    """What a model keeps of one token: layers, key-value heads, size of a head."""

    layers: int
    heads: int
    size: int


class RowCache:
    """The keys and values of one row: a tensor [layers, 2, heads, capacity, size] that grows by doubling.

    What lies behind the row's valid length is overwritten by the next pass, so refusing a draft costs nothing.
    """

    def __init__(self, shape: KeyValueShape, *, dtype: torch.dtype, device: torch.device, capacity: int = 256) -> None:
        # Zeros, not whatever lies in memory: keys behind a row's end are masked, but NaN would come through.
        self._tensor = torch.zeros(
            shape.layers, 2, shape.heads, whole_blocks(capacity), shape.size, dtype=dtype, device=device
        )

    def reserve(self, length: int) -> None:
        """Makes room for ``length`` tokens."""
        capacity = self._tensor.shape[3]
        if length <= capacity:
            return
        sizes = list(self._tensor.shape)
        sizes[3] = whole_blocks(max(length, 2 * capacity))
        larger = torch.zeros(sizes, dtype=self._tensor.dtype, device=self._tensor.device)
        larger[:, :, :, :capacity] = self._tensor
        self._tensor = larger

    def begin_with(self, prefix: RowCache, length: int) -> None:
        """Copies the first ``length`` tokens of another row: a prompt's fixed part is run only once."""
        self.reserve(length)
        self._tensor[:, :, :, :length] = prefix._tensor[:, :, :, :length]

    def write(self, layer: int, start: int, keys_HND: torch.Tensor, values_HND: torch.Tensor) -> None:
        """Puts the keys and values of the tokens from ``start`` on in their place."""
        end = start + keys_HND.shape[1]
        self._tensor[layer, 0, :, start:end] = keys_HND
        self._tensor[layer, 1, :, start:end] = values_HND

    def read(self, layer: int, end: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values [heads, end, size] of a layer."""
        return self._tensor[layer, 0, :, :end], self._tensor[layer, 1, :, :end]
