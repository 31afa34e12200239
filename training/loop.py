"""A training run over batches, whatever learns: steps, loss curve, checkpoints, exact resume, time limit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch

from medner.training.masters import Masters, Schedule
from medner.training.run import RunFolder, Step
from medner.training.settings import GROWING, TaggerTraining

Batch = TypeVar("Batch")
B_contra = TypeVar("B_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Size:
    """What a batch holds."""

    samples: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is after an optimiser step: ``loss`` is the mean a sample; ``share`` (0 to 1) of the run is over."""

    loss: float
    samples: int
    seconds: float
    share: float


class Learner(Protocol[B_contra]):
    """A model that learns from batches."""

    def parameters(self) -> Sequence[torch.nn.Parameter]:
        """The weights that learn."""
        ...

    def faster(self) -> tuple[Sequence[torch.nn.Parameter], float]:
        """Further weights that learn, and how many times faster."""
        ...

    def loss(self, batch: B_contra) -> torch.Tensor:
        """The loss, summed over the batch's samples."""
        ...

    def size(self, batch: B_contra) -> Size:
        """What the batch holds."""
        ...

    def save(self, folder: Path) -> None:
        """Writes what inference needs."""
        ...


class Run(Generic[Batch]):
    """One training run. A run folder that holds a checkpoint goes on from there, with the same loss curve.

    ``epoch`` gives the batches of an epoch, numbered from 0. ``task`` is what a run must have in common with one it
    goes on from (data, labels ...). UserError when the folder holds another run.
    """

    def __init__(
        self,
        learner: Learner[Batch],
        epoch: Callable[[int], Sequence[Batch]],
        folder: Path,
        settings: TaggerTraining,
        *,
        task: Mapping[str, Any],
    ) -> None:
        self._learner, self._settings, self._folder = learner, settings, RunFolder(folder)
        self._told = {"settings": asdict(settings), "task": dict(task)}
        self._folder.check(self._told, free=GROWING)
        self.batches = list(_batches(epoch, settings.epochs))
        faster, factor = learner.faster()
        self._masters = Masters(learner.parameters(), faster=faster, factor=factor, weight_decay=settings.weight_decay)
        self._schedule = Schedule(settings.learning_rate, settings.warm_up)
        self.done, self.seconds, self.samples, self.tokens = 0, 0.0, 0, 0
        self._resume()

    @property
    def output(self) -> Path:
        """The folder of what inference needs."""
        return self._folder.adapter

    @property
    def progress(self) -> float:
        """How far the run is, 0 to 1, by data or by time, whichever is further."""
        limit = self._settings.time_limit_s
        return min(1.0, max(self.done / len(self.batches), self.seconds / limit if limit else 1.0))

    def train(
        self, on_step: Callable[[Progress], None] = lambda _: None, *, stop: Callable[[], bool] = lambda: False
    ) -> bool:
        """Runs to the end of the data or of the time, or until ``stop``; whether it got to an end of its own.

        What was learnt is saved in each case.
        """
        settings, saved = self._settings, time.monotonic()
        self._folder.begin(self._told, done=self.done)
        while self.done < len(self.batches) and self.seconds < settings.time_limit_s:
            if stop():
                self.save()
                return False
            began = time.monotonic()
            loss = self._step(self.batches[self.done : self.done + settings.batches_per_step])
            self.seconds += time.monotonic() - began
            self._folder.log(self._record(loss))
            on_step(Progress(loss, self.samples, self.seconds, self.progress))
            if time.monotonic() - saved >= settings.checkpoint_every_s:
                self.save()
                saved = time.monotonic()
        self.save()
        return True

    def _step(self, group: Sequence[Batch]) -> float:
        # Dropout, where a model has it, must be the same after a resume.
        torch.manual_seed(self._settings.seed * 1_000_003 + self.done)
        sizes = [self._learner.size(batch) for batch in group]
        samples = sum(size.samples for size in sizes)
        total = 0.0
        for batch in group:
            loss = self._learner.loss(batch) / samples
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        self._masters.step(self._schedule.rate(self.progress))
        self.done += len(group)
        self.samples += samples
        self.tokens += sum(size.tokens for size in sizes)
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
        self._folder.save_state({**self._masters.state(), **place})

    def _resume(self) -> None:
        state = self._folder.state()
        if state is not None:
            self._masters.restore(state)
            self.done, self.seconds = state["done"], state["seconds"]
            self.samples, self.tokens = state["samples"], state["tokens"]


def _batches(epoch: Callable[[int], Sequence[Batch]], epochs: float) -> Iterator[Batch]:
    for number in range(math.ceil(epochs)):
        one = epoch(number)
        # However small the share, something is learnt from.
        yield from one[: max(1, round(len(one) * min(1.0, epochs - number)))]
