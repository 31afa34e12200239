"""The model class of an LLM-CLS filter for vLLM servers: sentence and candidates in one request.

vLLM loads this as a plugin, by the entry point ``vllm.general_plugins``, wherever medner is installed beside it, and
``medner serve-models`` gives vLLM the filter by ``--hf-overrides``. It gives numbers for each token by ``/pooling``
with the task ``token_embed``: the filter's identity, how many numbers follow (one), the score. The score that counts is
that of a candidate's last token (``layout.py``).

vLLM has no attention in which a sentence looks both ways and what follows it does not, so the layers' own is replaced
by PyTorch's under a mask. Nothing is cached, and a request is run in one piece.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import torch
from torch import nn

from medner.agents.filters.candidates.attention import Rows, RowsAttention
from medner.agents.filters.candidates.weights import ARCHITECTURE, KEY, ServedFilter, served_weights
from medner.agents.taggers.spans.served.identity import SIZE
from medner.agents.taggers.spans.served.pooling import TokenNumbers, register_model


def register() -> None:
    """Makes the class known to vLLM in this process. What vLLM calls; harmless when called again."""
    register_model(ARCHITECTURE, f"{__name__}:CandidateFilter")


class CandidateFilter(TokenNumbers):
    """A language model with a classification layer, which scores what a sentence's candidates end with."""

    def __init__(self, *, vllm_config: Any, prefix: str = "") -> None:
        config = vllm_config.model_config.hf_config.get_text_config()
        super().__init__(config, "the filter llm-cls", prefix)
        self._served = ServedFilter.from_dict(getattr(config, KEY))
        norms: Any = import_module("vllm.model_executor.layers.layernorm")
        own = copy.deepcopy(config)
        # So that vLLM makes no caches for attention that is not used.
        own.is_causal = False
        self._rows = Rows()
        first = self._served.two_way_from
        layers = []
        for number in range(config.num_hidden_layers):
            made = self._layer(own, vllm_config.cache_config, vllm_config.quant_config, f"layers.{number}")
            two_way = first is not None and number >= first
            made.self_attn.attn = RowsAttention(self._rows, made.self_attn, two_way=two_way)
            layers.append(made)
        self.layers = nn.ModuleList(layers)
        self.norm = norms.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.head = nn.Linear(config.hidden_size, 1, dtype=torch.float32)
        # Filled from the weights, so that it cannot say another filter than they are.
        self.register_buffer("identity", torch.zeros(SIZE, dtype=torch.float32))
        self.register_buffer("inner", torch.ones(1, dtype=torch.float32), persistent=False)

    def forward(
        self,
        input_ids: torch.Tensor,
        positions: torch.Tensor,
        intermediate_tensors: Any = None,  # noqa: ARG002  vLLM's interface
        inputs_embeds: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """For each token the filter's identity, 1, and the token's score [tokens, header and 1]."""
        hidden = self.embed_input_ids(input_ids) if inputs_embeds is None else inputs_embeds
        positions = self._rows.take(input_ids, positions)
        residual = None
        for layer in self.layers:
            hidden, residual = layer(positions, hidden, residual)
        hidden, _ = self.norm(hidden, residual)
        scores_T1 = self.head(hidden.float())
        header = torch.cat([self.get_buffer("identity"), self.get_buffer("inner")])
        return torch.cat([header.expand(len(scores_T1), -1), scores_T1], dim=-1)

    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> set[str]:
        """Takes a base model's weights, merging the adapter."""
        return self.load(served_weights(weights, self._served))
