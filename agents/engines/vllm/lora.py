"""LoRA on processors for vLLM servers: an adapter's weights are multiplied once a run of its tokens.

vLLM's own kernels for processors copy the adapter's matrices for every token of the batch, which takes most of a
forward pass; and they give requests without an adapter that of the last slot (vLLM #48421). vLLM loads this as a
plugin, by the entry point ``vllm.general_plugins``, wherever medner is installed beside it; ``VLLM_PLUGINS=""`` leaves
it out. On other devices it does nothing.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_MODULE = "vllm.lora.punica_wrapper.punica_cpu"
#: The parameters that vLLM gives its kernels, by name; a version that has others keeps its own kernels.
_PREFILL = ["b_seq_start_loc", "seq_len_tensor", "lora_indices_tensor", "batches", "max_seq_length", "token_nums"]
_KERNELS: dict[str, list[str]] = {
    "bgmv_shrink": ["inputs", "lora_b_weights", "output_tensor", "lora_indices_tensor", "scaling"],
    "sgmv_shrink": ["inputs", "lora_a_weights", "output_tensor", *_PREFILL, "scaling"],
    "bgmv_expand": ["inputs", "lora_b_weights", "output_tensor", "lora_indices_tensor", "add_inputs"],
    "sgmv_expand": ["inputs", "lora_b_weights", "output_tensor", *_PREFILL, "add_inputs"],
    "bgmv_expand_slice": [
        *("inputs", "lora_b_weights", "output_tensor", "lora_indices_tensor"),
        *("slice_offset", "slice_size", "add_inputs"),
    ],
    "sgmv_expand_slice": [
        *("inputs", "lora_b_weights", "output_tensor", *_PREFILL),
        *("slice_offset", "slice_size", "add_inputs"),
    ],
}


def register() -> None:
    """Puts the kernels in place in this process, on a processor. What vLLM calls; harmless when called again."""
    from importlib import import_module  # noqa: PLC0415

    platforms: Any = import_module("vllm.platforms")
    if platforms.current_platform.is_cpu():
        try:
            module = import_module(_MODULE)
        except ImportError:
            module = None
        if module is None or not install(module):
            logging.getLogger("medner").warning(
                "this vLLM's LoRA kernels for processors are not those that medner knows; they stay, and are slow"
            )


def install(module: ModuleType) -> bool:
    """Replaces the kernels in the module that calls them; False, and nothing changed, where they are other ones."""
    mine: dict[str, Callable[..., None]] = {
        "bgmv_shrink": bgmv_shrink,
        "sgmv_shrink": sgmv_shrink,
        "bgmv_expand": bgmv_expand,
        "sgmv_expand": sgmv_expand,
        "bgmv_expand_slice": bgmv_expand_slice,
        "sgmv_expand_slice": sgmv_expand_slice,
    }
    known = {name: getattr(module, name, None) for name in mine}
    if all(known[name] is kernel for name, kernel in mine.items()):
        return True
    for name, parameters in _KERNELS.items():
        theirs = known[name]
        if theirs is None or list(inspect.signature(theirs).parameters) != parameters:
            return False
    for name, kernel in mine.items():
        setattr(module, name, kernel)
    return True


def bgmv_shrink(
    inputs: torch.Tensor, weights: torch.Tensor, output: torch.Tensor, slots: torch.Tensor, scaling: float = 1.0
) -> None:
    """output [tokens, rank] = scaling * inputs [tokens, width] @ A of each token's slot; 0 without one.

    ``weights`` [slots, 1, rank, width] or without the 1; ``slots`` [tokens], negative: no adapter.
    """
    rank = weights.shape[-2]
    for begin, end, slot in _runs(slots):
        if slot < 0:
            output[begin:end, :rank] = 0
        else:
            output[begin:end, :rank] = scaling * _times(inputs[begin:end], weights[slot], output.dtype)


def bgmv_expand(
    inputs: torch.Tensor, weights: torch.Tensor, output: torch.Tensor, slots: torch.Tensor, add_inputs: bool = True
) -> None:
    """output [tokens, width] += inputs [tokens, rank] @ B of each token's slot; ``add_inputs`` False overwrites."""
    # Adapter and model may pad their widths differently.
    bgmv_expand_slice(inputs, weights, output, slots, 0, min(weights.shape[-2], output.shape[1]), add_inputs)


def bgmv_expand_slice(  # noqa: PLR0913, PLR0917  vLLM's signature
    inputs: torch.Tensor,
    weights: torch.Tensor,
    output: torch.Tensor,
    slots: torch.Tensor,
    offset: int,
    size: int,
    add_inputs: bool = True,
) -> None:
    """As bgmv_expand, into the columns from ``offset``, ``size`` of them."""
    columns = slice(offset, offset + size)
    for begin, end, slot in _runs(slots):
        if slot < 0:
            if not add_inputs:
                output[begin:end, columns] = 0
            continue
        product = _times(inputs[begin:end], weights[slot], output.dtype)[:, :size]
        if add_inputs:
            output[begin:end, columns] += product
        else:
            output[begin:end, columns] = product


def sgmv_shrink(inputs: torch.Tensor, weights: torch.Tensor, output: torch.Tensor, *prefill: Any) -> None:
    """bgmv_shrink for whole prompts: ``prefill`` is what vLLM says of them, and the scaling."""
    *batch, scaling = prefill
    bgmv_shrink(inputs, weights, output, _slots_of(batch), scaling)


def sgmv_expand(inputs: torch.Tensor, weights: torch.Tensor, output: torch.Tensor, *prefill: Any) -> None:
    """bgmv_expand for whole prompts."""
    *batch, add_inputs = prefill
    bgmv_expand(inputs, weights, output, _slots_of(batch), add_inputs)


def sgmv_expand_slice(inputs: torch.Tensor, weights: torch.Tensor, output: torch.Tensor, *prefill: Any) -> None:
    """bgmv_expand_slice for whole prompts."""
    *batch, offset, size, add_inputs = prefill
    bgmv_expand_slice(inputs, weights, output, _slots_of(batch), offset, size, add_inputs)


def _slots_of(batch: list[Any]) -> torch.Tensor:
    """The slot of each token, [tokens], from those of the requests and their lengths."""
    _, lengths, slots, *_ = batch
    repeated: torch.Tensor = slots.repeat_interleave(lengths)
    return repeated


def _runs(slots: torch.Tensor) -> Iterator[tuple[int, int, int]]:
    """Begin, end and slot of each run of tokens of the same slot."""
    listed = slots.tolist()
    borders = [0, *(at for at in range(1, len(listed)) if listed[at] != listed[at - 1]), len(listed)]
    return ((begin, end, listed[begin]) for begin, end in pairwise(borders) if begin < end)


def _times(inputs: torch.Tensor, weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    if weight.ndim == 3:  # [1, rows, columns]
        weight = weight.squeeze(0)
    return inputs.to(dtype) @ weight.to(dtype).T
