"""The model class of span taggers for vLLM servers: several taggers of one base, each with its own layers and head.

vLLM loads this as a plugin, by the entry point ``vllm.general_plugins``, wherever medner is installed beside it. A
server with it takes a base model whose config names the class (``medner serve-models`` gives vLLM what it needs by
``--hf-overrides``), or what ``medner export`` wrote. It gives token states by ``/pooling`` with the task
``token_embed``: for each tagger its identity, how many numbers follow, and these numbers, which its head makes of the
token (``states.py`` reads them). Characters, spans and probabilities are the client's.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import torch
from torch import nn

from medner.agents.taggers.spans.served.identity import SIZE
from medner.agents.taggers.spans.served.pooling import TokenNumbers, register_model
from medner.agents.taggers.spans.served.weights import ARCHITECTURE, KEY, ServedTagger, served_weights


def register() -> None:
    """Makes the class known to vLLM in this process. What vLLM calls; harmless when called again."""
    register_model(ARCHITECTURE, f"{__name__}:SpanTaggers")


class SpanTaggers(TokenNumbers):
    """Token states of several span taggers, side by side: all run for each request."""

    def __init__(self, *, vllm_config: Any, prefix: str = "") -> None:
        config = vllm_config.model_config.hf_config.get_text_config()
        super().__init__(config, "span taggers", prefix)
        self._served = [ServedTagger.from_dict(one, config.num_hidden_layers) for one in getattr(config, KEY)]
        before = 0
        taggers = []
        for served in self._served:
            taggers.append(_Tagger(served, config, vllm_config, self._layer, before))
            before += served.layers
        self.taggers = nn.ModuleList(taggers)

    def forward(
        self,
        input_ids: torch.Tensor,
        positions: torch.Tensor,
        intermediate_tensors: Any = None,  # noqa: ARG002  vLLM's interface
        inputs_embeds: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """All taggers' states of all tokens [tokens, sum over the taggers of header and inner]."""
        embedded = self.embed_input_ids(input_ids) if inputs_embeds is None else inputs_embeds
        # vLLM's norms add to the residual in place.
        return torch.cat([tagger(positions, embedded.clone()) for tagger in self.taggers], dim=-1)

    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> set[str]:
        """Takes a base model's weights, merging the adapters, or those that medner export merged."""
        exported = all(tagger.folder is None for tagger in self._served)
        return self.load(weights if exported else served_weights(weights, self._served))


class _Tagger(nn.Module):
    """One tagger: its layers, and the part of its head that works on tokens."""

    def __init__(self, served: ServedTagger, config: Any, vllm_config: Any, layer: Any, before: int) -> None:
        super().__init__()
        norms: Any = import_module("vllm.model_executor.layers.layernorm")
        layers = []
        for number in range(served.layers):
            own = copy.deepcopy(config)
            own.is_causal = number < served.two_way_from
            # vLLM finds the layer's cache by the number in its name: one no other tagger's layer has.
            layers.append(layer(own, vllm_config.cache_config, vllm_config.quant_config, f"layers.{before + number}"))
        self.layers = nn.ModuleList(layers)
        self.norm = norms.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.head = _TokenHead(config.hidden_size, served.inner)
        # Filled from the weights, so that it cannot say another tagger than they are.
        self.register_buffer("identity", torch.zeros(SIZE, dtype=torch.float32))
        self.register_buffer("inner", torch.tensor([served.inner], dtype=torch.float32), persistent=False)

    def forward(self, positions: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        residual = None
        for layer in self.layers:
            hidden, residual = layer(positions, hidden, residual)
        hidden, _ = self.norm(hidden, residual)
        states_TI = self.head(hidden)
        header = torch.cat([self.get_buffer("identity"), self.get_buffer("inner")])
        return torch.cat([header.expand(len(states_TI), -1), states_TI], dim=-1)


class _TokenHead(nn.Module):
    """What a span head does to a token, in float32."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, dtype=torch.float32)
        self.inner = nn.Linear(width, inner, dtype=torch.float32)

    def forward(self, hidden_TW: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.inner(self.norm(hidden_TW.float()))
        return states
