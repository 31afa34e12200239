"""BERT-CLS: an encoder of its own with a classification layer on [CLS] (§4.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from medner.agents.filters.filter import each_once, probability
from medner.agents.prompts.filter import encoder_parts
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import Entity, Sentence

#: An encoder sees at most so many tokens, and fewer where its own limit is lower.
MOST_TOKENS = 512
_ROWS = 32


@dataclass(frozen=True, slots=True)
class EncoderFilter:
    """Scores a sentence's candidates in one batch.

    ``model`` is a sequence classifier of transformers with one output, ``tokenizer`` its tokenizer.
    """

    model: Any
    tokenizer: Any
    labels: LabelSet
    threshold: float = 0.5
    temperature: float = 1.0
    name: str = "bert-cls"

    async def score(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        """A probability for each entity, each once."""
        return await each_once(entities, partial(self._scores, sentence))

    async def _scores(self, sentence: Sentence, entities: list[Entity]) -> list[float]:
        parts = [encoder_parts(sentence.text, entity, self.labels) for entity in entities]
        logits = await asyncio.to_thread(encoder_logits, self.model, self.tokenizer, parts)
        return [probability(logit, self.temperature) for logit in logits]


def encoder_logits(model: Any, tokenizer: Any, parts: Sequence[tuple[str, str]]) -> list[float]:
    """The scores of (type's name, marked sentence) pairs; over 0 is rather right than wrong."""
    import torch  # noqa: PLC0415  heavy

    logits: list[float] = []
    with torch.inference_mode():
        for first in range(0, len(parts), _ROWS):
            batch = tokenizer(
                [name for name, _ in parts[first : first + _ROWS]],
                [marked for _, marked in parts[first : first + _ROWS]],
                truncation="only_second",
                max_length=most_tokens(model),
                padding=True,
                return_tensors="pt",
            )
            logits += model(**batch.to(model.device)).logits[:, 0].float().tolist()
    return logits


def most_tokens(model: Any) -> int:
    """How many tokens the encoder takes; the last two positions are left to models that count from 2."""
    return min(MOST_TOKENS, int(model.config.max_position_embeddings) - 2)


def load_encoder_filter(
    folder: Path, labels: LabelSet, *, threshold: float, temperature: float, name: str
) -> EncoderFilter:
    """The encoder filter of a folder. UserError when it holds none."""
    try:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: PLC0415  heavy

        from medner.agents.engines.local.loading import quiet  # noqa: PLC0415  needs torch
    except ImportError as error:
        raise UserError(f"{error.name} is missing: a bert-cls filter needs pip install 'medner[local]'") from error
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"{folder}: the filter's encoder cannot be loaded: {first}") from error
    return EncoderFilter(model.eval(), tokenizer, labels, threshold, temperature, name)
