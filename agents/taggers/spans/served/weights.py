"""The weights of span taggers as a server's model has them: each adapter merged into a copy of the base's layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from medner.agents.engines.local.lora_files import LoraPair, check_fit, lora_pairs
from medner.agents.taggers.spans.head import load_head
from medner.agents.taggers.spans.served.identity import identity
from medner.agents.taggers.spans.settings import read_settings
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
        """Plain data, as the config.json of an exported model has it."""
        return {"layers": self.layers, "two_way_from": self.two_way_from, "inner": self.inner, "base": self.base}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], layers: int) -> ServedTagger:
        """What :meth:`as_dict` gave, or only ``folder`` and ``base``; ``layers`` is how many the base has.

        UserError for a folder that holds no span tagger.
        """
        base = str(data["base"])
        if "folder" not in data:
            return cls(int(data["layers"]), int(data["two_way_from"]), int(data["inner"]), base)
        folder = Path(data["folder"])
        settings = read_settings(folder)
        inner = load_head(folder).shape.inner
        return cls(settings.layers or layers, settings.two_way_from, inner, base, folder)


def served_weights(
    base: Iterable[tuple[str, torch.Tensor]], taggers: Sequence[ServedTagger]
) -> Iterator[tuple[str, torch.Tensor]]:
    """Every weight of the server's model by its name there, from a base model's.

    What an adapter changes comes in float32: who takes it rounds it once. UserError for an adapter that does not fit.
    """
    folders = [_folder(tagger) for tagger in taggers]
    adapters = [{f"{target}.weight": pair for target, pair in lora_pairs(one.name, one).items()} for one in folders]
    for number, (tagger, folder) in enumerate(zip(taggers, folders, strict=True)):
        yield from ((f"taggers.{number}.{name}", value) for name, value in _head(folder, tagger.base))
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
                    yield f"taggers.{number}.{inside}", merged("span", name, value, pairs.pop(name, None))
    left = sorted(name for pairs in adapters for name in pairs)
    if left:
        raise UserError(f"an adapter has weights for layers that this base model does not have: {left[0]}")


def _folder(tagger: ServedTagger) -> Path:
    if tagger.folder is None:
        raise UserError("a span tagger without its folder cannot be merged into a base model")
    return tagger.folder


def merged(who: str, name: str, weight: torch.Tensor, pair: LoraPair | None) -> torch.Tensor:
    """A weight with what an adapter adds to it, then in float32. UserError where the adapter does not fit."""
    if pair is None:
        return weight
    check_fit(who, name, (weight.shape[0], weight.shape[1]), pair)
    return weight.float() + pair.product().to(weight.device)


def _head(folder: Path, base: str) -> Iterator[tuple[str, torch.Tensor]]:
    """The part of the head that works on tokens, and the tagger's identity, which each answer carries."""
    head = load_head(folder)
    for part in ("norm", "inner"):
        for name, value in getattr(head, part).state_dict().items():
            yield f"head.{part}.{name}", value
    yield "identity", torch.tensor(list(identity(folder, base)), dtype=torch.float32)
