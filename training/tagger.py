"""Trains a tagger: LoRA on a local base model, loss on the answer only (§3.1, §4.1).

By default the loss runs over the tokens that occur in any answer instead of the whole vocabulary. Decoding is
constrained to such tokens anyway, and on a CPU it saves a fifth of the time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from medner.training.adapted import adapted_model, save_adapter
from medner.training.batching import batches_by_tokens
from medner.training.examples import Example, answer_vocabulary
from medner.training.masters import Masters, Schedule
from medner.training.run import RunFacts, RunFolder, Step
from medner.training.settings import GROWING, TaggerTraining

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


class TaggerTrainer:
    """One training run: model, optimiser, place in the data. Resumes exactly from its run folder.

    ``start`` is an adapter folder to go on from with other data; its rank and layers must be those of the settings.
    UserError when the folder holds another run.
    """

    def __init__(
        self,
        base: Path,
        run: Path,
        examples: Sequence[Example],
        settings: TaggerTraining,
        *,
        start: Path | None = None,
        facts: RunFacts = RunFacts(),  # noqa: B008  frozen
    ) -> None:
        self.settings, self.run = settings, RunFolder(run)
        self._told = {"settings": asdict(settings), "task": dict(facts.task)}
        self._about = {"about": dict(facts.about)}
        self.run.check(self._told, free=GROWING)
        torch.manual_seed(settings.seed)
        self.model = adapted_model(base, settings, start=start)
        self.vocabulary = None if settings.whole_vocabulary else answer_vocabulary(examples)
        self._loss = AnswerLoss(self.model, self.vocabulary)
        self.batches = epoch_batches(examples, settings)
        self._masters = Masters(self.model.parameters(), weight_decay=settings.weight_decay)
        self._schedule = Schedule(settings.learning_rate, settings.warm_up)
        self.done, self.seconds, self.tokens = 0, 0.0, 0
        self._resume()

    def train(
        self,
        on_step: Callable[[Step], None] = lambda _: None,
        *,
        on_checkpoint: Callable[[Step], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Runs to the end of the data or of the time, or until ``stop``; whether it got to an end of its own.

        The adapter is saved in each case. A run folder that holds a checkpoint goes on from there.
        """
        settings = self.settings
        self.run.begin({**self._told, **self._about}, done=self.done)
        saved = time.monotonic()
        while self.done < len(self.batches) and self.seconds < settings.time_limit_s:
            if stop():
                self.save()
                return False
            step = self._next()
            self.run.log(step)
            on_step(step)
            if time.monotonic() - saved >= settings.checkpoint_every_s:
                self.save()
                on_checkpoint(step)
                saved = time.monotonic()
        self.save()
        return True

    @property
    def progress(self) -> float:
        """How far the run is, 0 to 1, by data or by time, whichever is further."""
        return min(1.0, max(self.done / len(self.batches), self.seconds / self.settings.time_limit_s))

    def seconds_a_token(self) -> float:
        """How long a token takes: measured on a step that changes nothing, after one to warm up."""
        middle = len(self.batches) // 2
        group = self.batches[middle : middle + self.settings.batches_per_step]
        for _ in range(2):
            began = time.monotonic()
            self._backward(group)
            self.model.zero_grad(set_to_none=True)
            seconds = time.monotonic() - began
        return seconds / _tokens(group)

    def save(self) -> None:
        """Writes the adapter and, beside it, what a resume needs."""
        save_adapter(self.model, self.run.adapter)
        place = {"done": self.done, "seconds": self.seconds, "tokens": self.tokens}
        self.run.save_state({**self._masters.state(), **place})

    def _next(self) -> Step:
        """Takes one optimiser step."""
        began = time.monotonic()
        group = self.batches[self.done : self.done + self.settings.batches_per_step]
        loss = self._backward(group)
        self._masters.step(self._schedule.rate(self.progress))
        self.done += len(group)
        self.tokens += _tokens(group)
        self.seconds += time.monotonic() - began
        return Step(
            batch=self.done,
            of=len(self.batches),
            loss=round(loss, 5),
            seconds=round(self.seconds, 1),
            tokens=self.tokens,
            rate=round(self._schedule.rate(self.progress), 7),
        )

    def _backward(self, group: Sequence[Sequence[Example]]) -> float:
        """Leaves the gradients of some batches; gives their mean loss a token of an answer."""
        answers = sum(len(example) - example.answer_start for batch in group for example in batch)
        total = 0.0
        for batch in group:
            loss = self._loss(batch) / answers
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        return total

    def _resume(self) -> None:
        state = self.run.state()
        if state is not None:
            self._masters.restore(state)
            self.done, self.seconds, self.tokens = state["done"], state["seconds"], state["tokens"]


def epoch_batches(examples: Sequence[Example], settings: TaggerTraining) -> list[list[Example]]:
    """The batches of all epochs in the order of training; of a broken epoch only its share."""
    batches: list[list[Example]] = []
    for epoch in range(math.ceil(settings.epochs)):
        one = batches_by_tokens(
            examples, budget=settings.batch_tokens, most=settings.batch_examples, seed=settings.seed + epoch
        )
        batches += one[: max(1, round(len(one) * min(1.0, settings.epochs - epoch)))]
    return batches


def _tokens(group: Sequence[Sequence[Example]]) -> int:
    return sum(len(example) for batch in group for example in batch)
