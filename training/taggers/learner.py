"""Trains a tagger: LoRA on a local base model, loss on the answer only (§3.1, §4.1).

By default the loss runs over the tokens that occur in any answer instead of the whole vocabulary. Decoding is
constrained to such tokens anyway, and on a CPU it saves a fifth of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from medner.training.loop.loop import Size
from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import adapted_model, learning_parameters, save_adapter
from medner.training.taggers.examples import Example, answer_vocabulary

#: How many answer tokens are scored over a whole vocabulary at once.
CHUNK = 512


class AnswerLoss:
    """The summed cross-entropy of a batch's answers, over a part of the vocabulary or all of it (None).

    All of it is scored for ``piece`` answer tokens at a time: for all of them it would take more memory than the model.
    """

    def __init__(self, model: Any, vocabulary: Sequence[int] | None, *, piece: int = CHUNK) -> None:
        self._piece = piece
        plain = model.get_base_model()
        self._body = plain.base_model
        head: torch.Tensor = plain.get_output_embeddings().weight.detach()
        self._device = head.device
        self._row = None if vocabulary is None else {token: row for row, token in enumerate(vocabulary)}
        self._head = head if vocabulary is None else head[torch.tensor(vocabulary, device=self._device)].clone()

    def __call__(self, batch: Sequence[Example]) -> torch.Tensor:
        """The loss of one batch, ready for a backward pass."""
        longest = max(len(example) for example in batch)
        ids_BT = torch.zeros(len(batch), longest, dtype=torch.long)
        targets_BT = torch.full((len(batch), longest), -100)
        for row, example in enumerate(batch):
            ids_BT[row, : len(example)] = torch.tensor(example.ids)
            answer = example.ids[example.answer_start :]
            rows = answer if self._row is None else [self._row[token] for token in answer]
            targets_BT[row, example.answer_start - 1 : len(example) - 1] = torch.tensor(rows)
        # Padding stands on the right and attention is causal, so no mask is needed for what counts.
        hidden = self._body(input_ids=ids_BT.to(self._device), use_cache=False)[0]
        targets_BT = targets_BT.to(self._device)
        counted = targets_BT >= 0
        states_NW, targets_N = hidden[counted], targets_BT[counted]
        if self._row is not None:
            return self._summed(states_NW, targets_N)
        total = torch.zeros((), device=self._device)
        for states_CW, targets_C in zip(
            torch.split(states_NW, self._piece), torch.split(targets_N, self._piece), strict=True
        ):
            total = total + checkpoint(self._summed, states_CW, targets_C, use_reentrant=False)
        return total

    def _summed(self, states_NW: torch.Tensor, targets_N: torch.Tensor) -> torch.Tensor:
        logits = states_NW @ self._head.T
        return functional.cross_entropy(logits.float(), targets_N, reduction="sum")


class TaggerLearner:
    """The model that learns to write answers: a base model with a LoRA adapter.

    The adapter is fresh, or that of the folder ``start``. UserError when it does not fit.
    """

    def __init__(
        self, base: Path, examples: Sequence[Example], settings: TaggerTraining, *, start: Path | None = None
    ) -> None:
        torch.manual_seed(settings.seed)
        self.model: Any = adapted_model(base, settings, start=start)
        vocabulary = None if settings.whole_vocabulary else answer_vocabulary(examples)
        self._loss = AnswerLoss(self.model, vocabulary)

    def parameters(self) -> list[nn.Parameter]:
        """The adapter's weights."""
        return learning_parameters(self.model)

    def faster(self) -> tuple[list[nn.Parameter], float]:
        """None."""
        return [], 1.0

    def loss(self, batch: Sequence[Example]) -> torch.Tensor:
        """The summed loss of the tokens of a batch's answers."""
        return self._loss(batch)

    def size(self, batch: Sequence[Example]) -> Size:
        """How many examples, tokens and tokens of answers a batch holds."""
        answers = sum(len(example) - example.answer_start for example in batch)
        return Size(len(batch), sum(map(len, batch)), answers)

    def save(self, folder: Path) -> None:
        """Writes the adapter in PEFT's format."""
        save_adapter(self.model, folder)
