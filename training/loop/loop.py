"""A training run over batches, whatever learns: steps, loss curve, checkpoints, exact resume, time limit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch

from medner.training.loop.optimiser import Masters, Schedule
from medner.training.loop.run import RunFacts, RunFolder, Step
from medner.training.loop.settings import GROWING, TaggerTraining

Batch = TypeVar("Batch")
B_contra = TypeVar("B_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Size:
    """What a batch holds. Its loss is a sum over ``summands``: its samples, where nothing else is said."""

    samples: int
    tokens: int
    summands: int | None = None

    @property
    def divisor(self) -> int:
        """What makes a mean of the batch's loss."""
        return self.samples if self.summands is None else self.summands


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """Where a run is after an optimiser step: so many samples were seen, ``share`` (0 to 1) of the run is over."""

    step: Step
    samples: int
    share: float

    @property
    def loss(self) -> float:
        """The step's mean loss."""
        return self.step.loss

    @property
    def seconds(self) -> float:
        """The time the run has taken, its earlier parts included."""
        return self.step.seconds


class Learner(Protocol[B_contra]):
    """A model that learns from batches."""

    def parameters(self) -> Sequence[torch.nn.Parameter]:
        """The weights that learn."""
        ...

    def faster(self) -> tuple[Sequence[torch.nn.Parameter], float]:
        """Further weights that learn, and how many times faster."""
        ...

    def loss(self, batch: B_contra) -> torch.Tensor:
        """The loss, summed over what :meth:`size` says: the batch's samples, or their answers' tokens."""
        ...

    def size(self, batch: B_contra) -> Size:
        """What the batch holds."""
        ...

    def save(self, folder: Path) -> None:
        """Writes what inference needs."""
        ...


class Run(Generic[Batch]):
    """One training run. A run folder that holds a checkpoint goes on from there, with the same loss curve.

    ``epoch`` gives the batches of an epoch, numbered from 0. ``facts.task`` is what a run must have in common with one
    it goes on from (data, labels ...). ``last`` are files of the output that the caller writes when the run has got
    to an end: those of an earlier end go with the first step, because they do not fit the weights any more. UserError
    when the folder holds another run.
    """

    def __init__(
        self,
        learner: Learner[Batch],
        epoch: Callable[[int], Sequence[Batch]],
        folder: Path,
        settings: TaggerTraining,
        *,
        facts: RunFacts,
        last: Sequence[str] = (),
    ) -> None:
        self.folder, self.settings = RunFolder(folder), settings
        self._learner = learner
        self._facts, self._last = facts, tuple(last)
        refuse_another(folder, settings, facts)
        self.batches = batches_of(epoch, settings.epochs)
        faster, factor = learner.faster()
        self._masters = Masters(learner.parameters(), faster=faster, factor=factor, weight_decay=settings.weight_decay)
        self._schedule = Schedule(settings.learning_rate, settings.warm_up)
        self.done, self.seconds, self.samples, self.tokens = 0, 0.0, 0, 0
        self._resume()

    @property
    def output(self) -> Path:
        """The folder of what inference needs."""
        return self.folder.adapter

    @property
    def progress(self) -> float:
        """How far the run is, 0 to 1, by data or by time, whichever is further."""
        limit = self.settings.time_limit_s
        return min(1.0, max(self.done / len(self.batches), self.seconds / limit if limit else 1.0))

    def train(
        self,
        on_step: Callable[[TrainingStep], None] = lambda _: None,
        *,
        on_checkpoint: Callable[[Step], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Runs to the end of the data or of the time, or until ``stop``; whether it got to an end of its own.

        What was learnt is saved in each case.
        """
        settings, saved = self.settings, time.monotonic()
        about = {"about": dict(self._facts.about)} if self._facts.about else {}
        self.folder.begin({**_compared(settings, self._facts), **about}, done=self.done)
        if self.done < len(self.batches) and self.seconds < settings.time_limit_s:
            for name in self._last:
                (self.output / name).unlink(missing_ok=True)
        while self.done < len(self.batches) and self.seconds < settings.time_limit_s:
            if stop():
                self.save()
                return False
            began = time.monotonic()
            loss = self._learn(self.batches[self.done : self.done + settings.batches_per_step])
            self.seconds += time.monotonic() - began
            step = self._record(loss)
            self.folder.log(step)
            on_step(TrainingStep(step, self.samples, self.progress))
            if time.monotonic() - saved >= settings.checkpoint_every_s:
                self.save()
                on_checkpoint(step)
                saved = time.monotonic()
        self.save()
        return True

    def tokens_left(self) -> int:
        """The tokens of the batches that are still to come."""
        return sum(self._learner.size(batch).tokens for batch in self.batches[self.done :])

    def seconds_a_token(self) -> float:
        """How long a token takes: measured on a step that changes nothing, after one to warm up."""
        middle = len(self.batches) // 2
        group = self.batches[middle : middle + self.settings.batches_per_step]
        for _ in range(2):
            began = time.monotonic()
            self._backward(group)
            self._masters.forget()
            seconds = time.monotonic() - began
        return seconds / sum(self._learner.size(batch).tokens for batch in group)

    def _learn(self, group: Sequence[Batch]) -> float:
        """Takes one optimiser step; gives its mean loss."""
        # Dropout, where a model has it, must be the same after a resume.
        torch.manual_seed(self.settings.seed * 1_000_003 + self.done)
        loss = self._backward(group)
        self._masters.step(self._schedule.rate(self.progress))
        sizes = [self._learner.size(batch) for batch in group]
        self.done += len(group)
        self.samples += sum(size.samples for size in sizes)
        self.tokens += sum(size.tokens for size in sizes)
        return loss

    def _backward(self, group: Sequence[Batch]) -> float:
        """Leaves the gradients of some batches; gives their mean loss."""
        divisor = sum(self._learner.size(batch).divisor for batch in group)
        total = 0.0
        for batch in group:
            loss = self._learner.loss(batch) / divisor
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        return total

    def _record(self, loss: float) -> Step:
        return Step(
            batch=self.done,
            of=len(self.batches),
            loss=round(loss, 5),
            seconds=round(self.seconds, 1),
            tokens=self.tokens,
            rate=round(self._schedule.rate(self.progress), 7),
        )

    def save(self) -> None:
        """Writes what inference needs and, beside it, what a resume needs."""
        self._learner.save(self.output)
        place = {"done": self.done, "seconds": self.seconds, "samples": self.samples, "tokens": self.tokens}
        self.folder.save_state({**self._masters.state(), **place})

    def _resume(self) -> None:
        state = self.folder.state()
        if state is not None:
            self._masters.restore(state)
            self.done, self.seconds, self.tokens = state["done"], state["seconds"], state["tokens"]
            # Checkpoints of taggers did not always tell the samples.
            self.samples = state.get(
                "samples", sum(self._learner.size(one).samples for one in self.batches[: self.done])
            )


def refuse_another(folder: Path, settings: TaggerTraining, facts: RunFacts) -> None:
    """UserError when a run folder holds a run with other settings or another task; known before a model is loaded."""
    RunFolder(folder).check(_compared(settings, facts), free=GROWING)


def _compared(settings: TaggerTraining, facts: RunFacts) -> dict[str, Any]:
    return {"settings": asdict(settings), "task": dict(facts.task)}


def batches_of(epoch: Callable[[int], Sequence[Batch]], epochs: float) -> list[Batch]:
    """The batches of all epochs in the order of training; of a broken epoch only its share, one batch at least."""
    batches: list[Batch] = []
    for number in range(math.ceil(epochs)):
        one = epoch(number)
        batches += one[: max(1, round(len(one) * min(1.0, epochs - number)))]
    return batches
