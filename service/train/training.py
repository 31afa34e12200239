"""The contract of a training: what a role adds to the one way in which all of them are carried out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from medner.core.choices import DEFAULT_MODEL
from medner.core.errors import UserError
from medner.core.files.names import ADAPTER_WEIGHTS, CARD
from medner.core.labels import load_label_set
from medner.service.config.cards import AdapterCard, FilterCard, JudgeCard
from medner.service.train.orders import TrainingOrder
from medner.service.train.provenance import named_start
from medner.store.models import base_model_folder, base_model_name
from medner.training.loop.loop import Run
from medner.training.loop.settings import TaggerTraining
from medner.training.taggers.memory import LargestBatch, largest_rows

#: As a base: an encoder from random weights.
NEW = "new"

OrderT = TypeVar("OrderT", bound=TrainingOrder)


class StoppedError(Exception):
    """Somebody asked to stop where there is no checkpoint to write."""


@dataclass(frozen=True, slots=True)
class Base:
    """A base model's folder (None: an encoder that is new)."""

    folder: Path | None

    @property
    def name(self) -> str:
        """What cards call it."""
        return NEW if self.folder is None else base_model_name(self.folder)

    @property
    def needed_folder(self) -> Path:
        """The folder. UserError when there is none."""
        if self.folder is None:
            raise UserError("--base new makes an encoder, for --kind bert-cls; the others need a base model")
        return self.folder


def base_of(base: str | None, default: str = DEFAULT_MODEL) -> Base:
    """The base model of an order. UserError when it is not on this machine."""
    chosen = base or default
    return Base(None if chosen == NEW else base_model_folder(chosen))


@dataclass(frozen=True, slots=True)
class Finished:
    """What a training leaves besides the learner's files: its card, and what the card tells readers of its own."""

    card: AdapterCard | FilterCard | JudgeCard
    about: Mapping[str, Any] = field(default_factory=dict)
    scores: tuple[str, ...] = ()


class Training(ABC, Generic[OrderT]):
    """A training before it begins: the data are read, but no model is loaded before :meth:`learner`.

    ``last`` are the files of the output that :meth:`finish` writes. With the card among them (the usual case) a run
    that was stopped cannot be used before it has continued.
    """

    last: tuple[str, ...] = (CARD,)

    def __init__(self, order: OrderT, settings: TaggerTraining, *, base: Base) -> None:
        if order.start is not None and not (order.start / ADAPTER_WEIGHTS).is_file():
            raise UserError(f"{order.start}: holds no adapter (no {ADAPTER_WEIGHTS})")
        self.order, self.settings, self.base = order, settings, base
        self.labels = load_label_set(order.labels)

    @property
    @abstractmethod
    def name(self) -> str:
        """The name on the card, where the order has none."""

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files that are learnt from."""
        return self.order.files

    @property
    def excluded(self) -> tuple[Path, ...]:
        """The files whose texts are not learnt from."""
        return self.order.exclude

    @abstractmethod
    def summary(self) -> str:
        """The data in a line."""

    def task(self) -> Mapping[str, Any]:
        """What two parts of one run must have in common, besides the settings and :func:`shared_task`.

        The keys and values are those that version 0.1.0 wrote, so that its runs are continued.
        """
        return {}

    def about(self) -> Mapping[str, Any]:
        """What config.json tells readers of this role."""
        return {}

    @abstractmethod
    def epoch(self, number: int) -> Sequence[Any]:
        """The batches of an epoch, numbered from 0."""

    def largest(self, batches: Sequence[Any]) -> LargestBatch | None:
        """The largest of the batches, for the memory; None where that cannot be known."""
        return largest_rows(batches)

    def ways_out(self) -> list[str]:
        """The options that make a run need less memory."""
        return [f"fewer --batch-tokens (now {self.settings.batch_tokens:,})", "a smaller --base"]

    @abstractmethod
    def learner(self) -> Any:
        """The model that learns."""

    @abstractmethod
    def finish(self, run: Run[Any], learner: Any) -> Finished:
        """Chooses thresholds on what was held back, and writes what belongs beside the learner's files."""

    def evaluate(self, adapter: Path, stop: Callable[[], bool]) -> str | None:  # noqa: ARG002  for those that do
        """The score of the finished adapter in a line; None where the order asks for none. StoppedError."""
        return None


def shared_task(training: Training[Any]) -> dict[str, Any]:
    """What two parts of one run must have in common, whatever is trained."""
    start = training.order.start
    return {
        "base": training.base.name,
        "labels": training.labels.name,
        "start": None if start is None else named_start(start),
    }
