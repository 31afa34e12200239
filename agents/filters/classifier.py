"""LLM-CLS: a classification layer on a language model's hidden state of the candidate's last token (§3.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medner.agents.engines.engine import Encoder
from medner.agents.filters.filter import each_once, probability
from medner.agents.prompts.filter import candidate_part, sentence_part
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import Entity, Sentence

if TYPE_CHECKING:
    import torch

#: The classification layer's file, beside the adapter's.
HEAD_FILE = "classifier.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierHead:
    """A layer from a hidden state to a score: ``weight_W`` [width] and ``bias``, in float32."""

    weight_W: torch.Tensor  # noqa: N815  a tensor's shape stands in its name
    bias: float

    def logit(self, hidden_W: torch.Tensor) -> float:
        """The score of a hidden state [width]; over 0 is rather right than wrong."""
        if hidden_W.shape != self.weight_W.shape:
            raise UserError(
                f"the filter was trained on a base model of width {len(self.weight_W)}, this one's is "
                f"{hidden_W.shape[-1]}; take the base model that the filter's card names"
            )
        return float(hidden_W.float() @ self.weight_W) + self.bias


def load_head(folder: Path) -> ClassifierHead:
    """The classification layer in a filter's folder. UserError when there is none that can be read."""
    from safetensors import SafetensorError  # noqa: PLC0415  heavy
    from safetensors.torch import load_file  # noqa: PLC0415  heavy

    path = folder / HEAD_FILE
    try:
        weights = load_file(path)
        return ClassifierHead(weights["weight"].float().reshape(-1), float(weights["bias"].reshape(-1)[0]))
    except (OSError, SafetensorError, KeyError, IndexError) as error:
        raise UserError(f"{path}: holds no classification layer; the folder is no LLM-CLS filter ({error})") from error


@dataclass(frozen=True, slots=True)
class ClassifierFilter:
    """Scores a sentence's candidates behind one run of the sentence; ``adapter`` is its name in the encoder.

    In layers from ``two_way_from`` on, the sentence's tokens look both ways; None: in no layer. It must be what the
    adapter was trained with.
    """

    encoder: Encoder
    labels: LabelSet
    head: ClassifierHead
    threshold: float = 0.5
    temperature: float = 1.0
    adapter: str | None = None
    name: str = "llm-cls"
    two_way_from: int | None = None

    async def score(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """A probability for each entity; all of a sentence's entities run as one batch, each once."""
        head = self.encoder.tokens(sentence_part(sentence.text))
        return await each_once(
            entities, lambda unique: asyncio.gather(*(self._one(sentence, head, one) for one in unique))
        )

    async def _one(self, sentence: Sentence, head: Sequence[int], entity: Entity) -> float:
        tokens = [*head, *self.encoder.tokens(candidate_part(sentence.text, entity, self.labels))]
        hidden_TW = await self.encoder.encode(
            tokens, shared=len(head), adapter=self.adapter, two_way_from=self.two_way_from
        )
        return probability(self.head.logit(hidden_TW[-1]), self.temperature)
