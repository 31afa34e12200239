"""The body of any causal language model of transformers, with its adapters, for packed passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from medner.agents.engines.local.floating.adapters import Adapters
from medner.agents.engines.local.floating.prepacked import can_prepack, prepack
from medner.agents.engines.local.packed import PackedPass, RowSegment
from medner.agents.engines.local.row_cache import KeyValueShape
from medner.core.errors import UserError

#: Passes have a multiple of this many tokens.
FILL = 8


class TransformersBody:
    """A model that :func:`~medner.agents.engines.local.loading.load` gave, in bf16, f16 or f32, on CPU or GPU.

    Adapters stay apart from the base's weights: rows of a pass may have other ones. Not safe for concurrent use.
    """

    #: Every row needs a cache, whole ones too.
    needs_caches = True

    def __init__(self, model: Any, *, path: Path, dtype: torch.dtype, device: torch.device) -> None:
        self._path, self._device = path, device
        self.dtype = dtype
        self._body = model.to(device).eval().base_model
        self._output: torch.Tensor = model.get_output_embeddings().weight
        config = model.config.get_text_config()
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.cache_shape = KeyValueShape(config.num_hidden_layers, config.num_key_value_heads, size)
        if can_prepack(device, dtype):
            prepack(self._body)
        self._adapters = Adapters(model, dtype=dtype, device=device)

    @property
    def adapters(self) -> tuple[str, ...]:
        """The names of the loaded adapters."""
        return self._adapters.names

    def load_adapter(self, name: str, folder: Path) -> None:
        """Loads a further adapter; UserError when the folder holds none that fits."""
        self._adapters.load(name, folder)

    def head(self) -> torch.Tensor:
        """The output layer's matrix [vocabulary, width]."""
        return self._output

    @torch.inference_mode()
    def run(self, tokens: Sequence[int], segments: Sequence[RowSegment]) -> torch.Tensor:
        """The last hidden states [tokens, width] of a packed pass, each row's behind its last layer; fills caches."""
        # Kernels are made for a number of tokens and kept; a few fill-in tokens keep these numbers few.
        fill = -len(tokens) % FILL
        self._adapters.route(stretches(segments, fill), len(tokens) + fill)
        packed = PackedPass(segments, device=self._device, dtype=self.dtype, fill=fill)
        ids = torch.tensor([[*tokens, *[0] * fill]], device=self._device)
        with self._shortened(segments) as early:
            out = self._body(
                input_ids=ids, position_ids=packed.positions(), use_cache=False, attention_mask=None, packed=packed
            )
        hidden: torch.Tensor = out[0][0][: len(tokens)]
        at = 0
        for segment in segments:
            end = at + segment.count
            if segment.layers is not None and segment.layers in early:
                hidden[at:end] = self._body.norm(early[segment.layers][0, at:end])
            at = end
        return hidden

    @contextmanager
    def _shortened(self, segments: Sequence[RowSegment]) -> Iterator[dict[int, torch.Tensor]]:
        """Keeps the states behind the layers in which rows end, while a pass runs; no layer runs for nobody."""
        depths = {segment.layers for segment in segments}
        early: dict[int, torch.Tensor] = {}
        if depths == {None}:
            yield early
            return
        config, layers = self._body.config.get_text_config(), self._layers()
        whole = config.num_hidden_layers

        def keeper(depth: int) -> Any:
            def keep(_module: Any, _given: Any, out: Any) -> None:
                early[depth] = out[0] if isinstance(out, tuple) else out

            return keep

        handles = [layers[depth - 1].register_forward_hook(keeper(depth)) for depth in depths if depth is not None]
        config.num_hidden_layers = max(depth or whole for depth in depths)
        try:
            yield early
        finally:
            config.num_hidden_layers = whole
            for handle in handles:
                handle.remove()

    def _layers(self) -> Any:
        layers = getattr(self._body, "layers", None)
        if layers is None or not hasattr(self._body, "norm"):
            raise UserError(f"{self._path}: a model of this kind cannot be cut to its first layers")
        return layers


def stretches(segments: Sequence[RowSegment], fill: int = 0) -> list[tuple[str, int, int]]:
    """Which tokens of a packed pass belong to which adapter; neighbours with the same one are joined.

    ``fill`` tokens at the end go with the last row, so that one adapter for all rows is one for all tokens.
    """
    found: list[tuple[str, int, int]] = []
    at = 0
    for segment in segments:
        end = at + segment.count
        if segment.adapter is not None:
            if found and found[-1][0] == segment.adapter and found[-1][2] == at:
                found[-1] = (segment.adapter, found[-1][1], end)
            else:
                found.append((segment.adapter, at, end))
        at = end
    if found and found[-1][2] == at:
        found[-1] = (*found[-1][:2], at + fill)
    return found
