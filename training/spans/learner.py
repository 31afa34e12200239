"""What learns to tag spans: LoRA and a span head on a language model whose upper layers look both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from medner.agents.engines.local.formats import pick_device
from medner.agents.taggers.spans.head import SpanHead, SpanShape, load_head
from medner.core.errors import UserError
from medner.training.loop.batching import batches_by_tokens
from medner.training.loop.loop import Size
from medner.training.loop.settings import TaggerTraining
from medner.training.model.attention import MASKED, MaskedBody, register
from medner.training.model.lora import adapted_model, save_adapter
from medner.training.spans.examples import SpanBatch, SpanExample, collated

#: What differs from a tagger that writes: small batches, a step each, and a longer warm-up for the fresh head.
SPAN_TRAINING = TaggerTraining(batch_tokens=640, batches_per_step=1, warm_up=0.05, weight_decay=0.01, epochs=2.0)
#: The head starts from nothing.
HEAD_FACTOR = 2.5


class SpanLearner:
    """The model that learns. Layers below ``settings.first_layer`` stay as they are, and causal.

    Adapter and head are fresh, or those of a span tagger's folder ``start``. UserError when it does not fit.
    """

    def __init__(self, base: Path, settings: TaggerTraining, *, types: int, start: Path | None = None) -> None:
        register()
        torch.manual_seed(settings.seed)
        self.types = types
        self.model: Any = adapted_model(base, settings, start=start)
        plain = self.model.get_base_model()
        plain.set_attn_implementation(MASKED)
        self._body = MaskedBody(self.model)
        self._first_layer = settings.first_layer
        self.device = pick_device()
        shape = SpanShape(plain.config.get_text_config().hidden_size, types)
        self.head = (SpanHead(shape) if start is None else _head_of(start, shape)).to(self.device)

    def parameters(self) -> list[nn.Parameter]:
        """The adapter's weights."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def faster(self) -> tuple[list[nn.Parameter], float]:
        """The head's weights."""
        return list(self.head.parameters()), HEAD_FACTOR

    def loss(self, batch: Sequence[SpanExample]) -> torch.Tensor:
        """The summed loss of a batch's sentences."""
        one = collated(batch, self.types).to(self.device)
        return span_loss(self.scores(one), one.gold, one.counted) * len(batch)

    def size(self, batch: Sequence[SpanExample]) -> Size:
        """How many sentences and tokens a batch holds."""
        return Size(len(batch), sum(map(len, batch)))

    def scores(self, batch: SpanBatch) -> torch.Tensor:
        """Scores [B, types, C, C] of a batch."""
        count = batch.ids.shape[1]
        places = torch.arange(count, device=self.device)
        real = places < batch.lengths.unsqueeze(1)
        # Padding sees itself alone: a row of the mask without any key would make NaN of it.
        upper = real.unsqueeze(1) & real.unsqueeze(2) | torch.eye(count, dtype=torch.bool, device=self.device)
        hidden = self._body(batch.ids, places.expand_as(batch.ids), upper.tril(), upper, self._first_layer)
        scored: torch.Tensor = self.head(hidden, batch.token_of, batch.place_of)
        return scored

    @torch.inference_mode()
    def scores_of(self, example: SpanExample) -> torch.Tensor:
        """Scores [types, C, C] of one sentence, on the CPU."""
        self.model.eval()
        scores = self.scores(collated([example], self.types).to(self.device))[0].cpu()
        self.model.train()
        return scores

    def save(self, folder: Path) -> None:
        """Writes the adapter in PEFT's format and, beside it, the head."""
        save_adapter(self.model, folder)
        self.head.save(folder)


def _head_of(start: Path, shape: SpanShape) -> SpanHead:
    head = load_head(start)
    if head.shape != shape:
        raise UserError(f"{start}: its head is {head.shape}, this base and label set need {shape}")
    return head.train()


def passes(
    complete: Sequence[SpanExample], partial: Sequence[SpanExample], settings: TaggerTraining, number: int
) -> list[list[SpanExample]]:
    """The batches of a pass, from 0: partly annotated sentences are read in the first one only."""
    examples = [*complete, *partial] if number == 0 else list(complete)
    return batches_by_tokens(examples, budget=settings.batch_tokens, seed=settings.seed + number)


def span_loss(scores_BYCC: torch.Tensor, gold_BYCC: torch.Tensor, counted_BYCC: torch.Tensor) -> torch.Tensor:
    """GlobalPointer's loss (Su et al. 2022): every entity's score above 0, every other's below, a mean a type.

    Cells that are not counted have no share.
    """
    none = torch.finfo(scores_BYCC.dtype).min
    wrong = scores_BYCC.masked_fill(~(counted_BYCC & ~gold_BYCC), none).flatten(2)
    right = (-scores_BYCC).masked_fill(~gold_BYCC, none).flatten(2)
    zero = torch.zeros_like(wrong[..., :1])
    above = torch.logsumexp(torch.cat([wrong, zero], dim=-1), dim=-1)
    below = torch.logsumexp(torch.cat([right, zero], dim=-1), dim=-1)
    return (above + below).mean()


def span_settings(**changes: Any) -> TaggerTraining:
    """The settings of a run, changed where said."""
    return replace(SPAN_TRAINING, **changes)
