"""What learns to tag spans: LoRA and a span head on a language model whose upper layers look both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from medner.training.model.lora import adapted_model, learning_parameters, save_adapter
from medner.training.spans.examples import SpanBatch, SpanExample, collated

#: What differs from a tagger that writes: small batches, a step each, and a longer warm-up for the fresh head.
SPAN_TRAINING = TaggerTraining(batch_tokens=640, batches_per_step=1, warm_up=0.05, weight_decay=0.01, epochs=2.0)
#: The head starts from nothing.
HEAD_FACTOR = 2.5


class SpanLearner:
    """The model that learns. Layers below ``settings.first_layer`` stay as they are, and causal.

    Adapter and head are fresh, or those of a span tagger's folder ``start``; with ``fresh_head`` the adapter alone is
    taken over, as for other types. UserError when it does not fit.
    """

    def __init__(
        self, base: Path, settings: TaggerTraining, *, types: int, start: Path | None = None, fresh_head: bool = False
    ) -> None:
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
        self.head = (SpanHead(shape) if start is None or fresh_head else _head_of(start, shape)).to(self.device)

    def parameters(self) -> list[nn.Parameter]:
        """The adapter's weights."""
        return learning_parameters(self.model)

    def faster(self) -> tuple[list[nn.Parameter], float]:
        """The head's weights."""
        return list(self.head.parameters()), HEAD_FACTOR

    def loss(self, batch: Sequence[SpanExample]) -> torch.Tensor:
        """The summed loss of a batch's sentences."""
        one = collated(batch, self.types).to(self.device)
        return span_loss(self.scores(one), one.targets, one.counted) * len(batch)

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
    def scores_of(self, examples: Sequence[SpanExample], *, budget: int = 4_096) -> list[torch.Tensor]:
        """Scores [types, C, C] of each sentence, on the CPU; at most ``budget`` padded tokens a pass."""
        self.model.eval()
        found: dict[int, torch.Tensor] = {}
        for batch in batches_by_tokens([_Numbered(*one) for one in enumerate(examples)], budget=budget, seed=None):
            scores = self.scores(collated([one.example for one in batch], self.types).to(self.device)).cpu()
            for one, scores_YCC in zip(batch, scores, strict=True):
                count = len(one.example.aligned.token_of)
                found[one.number] = scores_YCC[:, :count, :count].clone()
        self.model.train()
        return [found[number] for number in range(len(examples))]

    def save(self, folder: Path) -> None:
        """Writes the adapter in PEFT's format and, beside it, the head."""
        save_adapter(self.model, folder)
        self.head.save(folder)


@dataclass(frozen=True, slots=True)
class _Numbered:
    number: int
    example: SpanExample

    def __len__(self) -> int:
        return len(self.example)


def _head_of(start: Path, shape: SpanShape) -> SpanHead:
    head = load_head(start)
    if head.shape != shape:
        raise UserError(f"{start}: its head is {head.shape}, this base and label set need {shape}")
    return head.train()


def passes(
    complete: Sequence[SpanExample], partial: Sequence[SpanExample], settings: TaggerTraining, number: int
) -> list[list[SpanExample]]:
    """The batches of a pass, from 0: partly annotated sentences are read in the first ``partial_epochs`` only."""
    examples = [*complete, *partial] if number < settings.partial_epochs else list(complete)
    return batches_by_tokens(examples, budget=settings.batch_tokens, seed=settings.seed + number)


def span_loss(scores_BYCC: torch.Tensor, targets_BYCC: torch.Tensor, counted_BYCC: torch.Tensor) -> torch.Tensor:
    """GlobalPointer's loss (Su et al. 2022): every entity's score above 0, every other's below, a mean a type.

    ``targets`` are probabilities: a cell takes part in both sums, with its probability in one and with the rest in the
    other. Cells that are not counted have no share.
    """
    none = torch.finfo(scores_BYCC.dtype).min
    # The logarithm of a share of nothing is minus infinity, whose gradient times 0 would be NaN.
    entity, other = targets_BYCC.log().clamp_min(none), torch.log1p(-targets_BYCC).clamp_min(none)
    wrong = (scores_BYCC + other).masked_fill(~counted_BYCC | (targets_BYCC >= 1), none).flatten(2)
    right = (entity - scores_BYCC).masked_fill(targets_BYCC <= 0, none).flatten(2)
    zero = torch.zeros_like(wrong[..., :1])
    above = torch.logsumexp(torch.cat([wrong, zero], dim=-1), dim=-1)
    below = torch.logsumexp(torch.cat([right, zero], dim=-1), dim=-1)
    return (above + below).mean()


def span_settings(**changes: Any) -> TaggerTraining:
    """The settings of a run, changed where said."""
    return replace(SPAN_TRAINING, **changes)
