"""The weights of an LLM-CLS filter as a server's model has them: its adapter merged into the base model's layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from medner.agents.engines.local.lora_files import lora_pairs
from medner.agents.filters.candidates.identity import identity
from medner.agents.filters.classifier import load_head
from medner.agents.taggers.spans.served.weights import merged
from medner.core.errors import UserError

#: The key of a model's config.json (or of vLLM's --hf-overrides) that says which filter it is.
KEY = "medner_filter"
#: The name of the model class there.
ARCHITECTURE = "MednerCandidateFilter"
_BODY = "model."


@dataclass(frozen=True, slots=True)
class ServedFilter:
    """A filter as a server runs it: its folder, what the base model is called, from which layer a sentence looks both
    ways (None: from none)."""

    folder: Path
    base: str
    two_way_from: int | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ServedFilter:
        """What medner serve-models tells vLLM."""
        first = data["two_way_from"]
        return cls(Path(data["folder"]), str(data["base"]), None if first is None else int(first))


def served_weights(
    base: Iterable[tuple[str, torch.Tensor]], served: ServedFilter
) -> Iterator[tuple[str, torch.Tensor]]:
    """Every weight of the server's model by its name there, from a base model's.

    What the adapter changes comes in float32. UserError for an adapter that does not fit.
    """
    pairs = {f"{target}.weight": pair for target, pair in lora_pairs("filter", served.folder).items()}
    head = load_head(served.folder)
    yield "head.weight", head.weight_W.unsqueeze(0)
    yield "head.bias", torch.tensor([head.bias])
    who = identity(served.folder, served.base, served.two_way_from)
    yield "identity", torch.tensor(list(who), dtype=torch.float32)
    for name, value in base:
        inside = name.removeprefix(_BODY)
        if inside.startswith(("layers.", "norm.", "embed_tokens.")):
            yield inside, merged("filter", name, value, pairs.pop(name, None))
    if pairs:
        raise UserError(f"an adapter has weights for layers that this base model does not have: {min(pairs)}")
