"""The weights of span taggers as a server's model has them: each tagger's adapter merged into its copy of the layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from medner.agents.engines.local.lora_files import LoraPair, check_fit, lora_pairs
from medner.agents.taggers.spans.head import load_head
from medner.agents.taggers.spans.identity import identity
from medner.core.errors import UserError

#: The key of a model's config.json (or of vLLM's --hf-overrides) that lists the taggers.
KEY = "medner_taggers"
#: The name of the model class in config.json.
ARCHITECTURE = "MednerSpanTaggers"
_BODY = "model."


@dataclass(frozen=True, slots=True)
class ServedTagger:
    """A span tagger as a server runs it.

    ``layers`` of the base are run, those from ``two_way_from`` on look both ways; ``inner`` numbers a token come out.
    ``folder`` holds adapter and head; None: the model's own weights are merged already. ``base`` is what the base model
    is called.
    """

    layers: int
    two_way_from: int
    inner: int
    base: str
    folder: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as config.json has it."""
        data = {"layers": self.layers, "two_way_from": self.two_way_from, "inner": self.inner, "base": self.base}
        return data if self.folder is None else {**data, "folder": str(self.folder)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ServedTagger:
        """What :meth:`as_dict` gave."""
        folder = data.get("folder")
        return cls(
            int(data["layers"]),
            int(data["two_way_from"]),
            int(data["inner"]),
            str(data["base"]),
            None if folder is None else Path(folder),
        )


def served_weights(
    base: Iterable[tuple[str, torch.Tensor]], taggers: Sequence[ServedTagger]
) -> Iterator[tuple[str, torch.Tensor]]:
    """Every weight of the server's model by its name there, from a base model's.

    What an adapter changes comes in float32: who takes it rounds it once. UserError for an adapter that does not fit.
    """
    adapters = [_pairs(tagger) for tagger in taggers]
    for number, tagger in enumerate(taggers):
        yield from ((f"taggers.{number}.{name}", value) for name, value in _head(tagger))
    for name, value in base:
        inside = name.removeprefix(_BODY)
        if inside == "embed_tokens.weight":
            yield inside, value
        elif inside == "norm.weight":
            yield from ((f"taggers.{number}.{inside}", value) for number in range(len(taggers)))
        elif inside.startswith("layers."):
            layer = int(inside.split(".")[1])
            for number, (tagger, pairs) in enumerate(zip(taggers, adapters, strict=True)):
                if layer < tagger.layers:
                    yield f"taggers.{number}.{inside}", _merged(name, value, pairs.pop(name, None))
    left = sorted(name for pairs in adapters for name in pairs)
    if left:
        raise UserError(f"an adapter has weights for layers that this base model does not have: {left[0]}")


def _pairs(tagger: ServedTagger) -> dict[str, LoraPair]:
    if tagger.folder is None:
        raise UserError("a tagger without its folder cannot be merged")
    pairs = lora_pairs(tagger.folder.name, tagger.folder)
    return {f"{target}.weight": pair for target, pair in pairs.items()}


def _merged(name: str, weight: torch.Tensor, pair: LoraPair | None) -> torch.Tensor:
    if pair is None:
        return weight
    check_fit("span", name, (weight.shape[0], weight.shape[1]), pair)
    return weight.float() + pair.product().to(weight.device)


def _head(tagger: ServedTagger) -> Iterator[tuple[str, torch.Tensor]]:
    """The part of the head that works on tokens, and the tagger's identity, which each answer carries."""
    assert tagger.folder is not None
    head = load_head(tagger.folder)
    for part in ("norm", "inner"):
        for name, value in getattr(head, part).state_dict().items():
            yield f"head.{part}.{name}", value
    yield "identity", torch.tensor(list(identity(tagger.folder, tagger.base)), dtype=torch.float32)
