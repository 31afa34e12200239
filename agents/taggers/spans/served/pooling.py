"""What medner's model classes for vLLM share: a base's embeddings, numbers for each token, and no cache."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

import torch
from torch import nn

from medner.agents.taggers.spans.served.families import family_of


def register_model(architecture: str, place: str) -> None:
    """Makes a class, ``module:name``, known to vLLM in this process; harmless when called again."""
    registry: Any = import_module("vllm").ModelRegistry
    if architecture not in registry.get_supported_archs():
        registry.register_model(architecture, place)


class TokenNumbers(nn.Module):
    """A model that ``/pooling`` asks with the task ``token_embed``; a subclass adds layers and ``forward``.

    ``config`` is the base model's, ``who`` names the class in errors.
    """

    is_pooling_model = True
    # Also where layers are causal: a request is run in one piece, and nothing of it is cached.
    attn_type = "encoder_only"

    def __init__(self, config: Any, who: str, prefix: str) -> None:
        super().__init__()
        self._layer, self._mapper = family_of(config, who)
        embedding: Any = import_module("vllm.model_executor.layers.vocab_parallel_embedding")
        self.embed_tokens = embedding.VocabParallelEmbedding(
            config.vocab_size, config.hidden_size, prefix=f"{prefix}.embed_tokens".strip(".")
        )
        poolers: Any = import_module("vllm.model_executor.layers.pooler.tokwise")
        self.pooler = poolers.TokenPooler(poolers.AllPool(), poolers.TokenEmbeddingPoolerHead())

    def embed_input_ids(self, input_ids: torch.Tensor) -> torch.Tensor:
        """The embeddings of tokens."""
        embedded: torch.Tensor = self.embed_tokens(input_ids)
        return embedded

    def load(self, ready: Iterable[tuple[str, torch.Tensor]]) -> set[str]:
        """Takes weights whose adapters are merged; gives the names of what was loaded."""
        utils: Any = import_module("vllm.model_executor.models.utils")
        loaded: set[str] = utils.AutoWeightsLoader(self).load_weights(ready, mapper=self._mapper)
        return loaded
