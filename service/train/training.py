"""The contract of a training: what a role adds to the one way in which all of them are carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medner.core.choices import DEFAULT_MODEL
from medner.core.files.names import CARD
from medner.core.labels import LabelSet
from medner.service.config.cards import AdapterCard, FilterCard, JudgeCard
from medner.service.train.orders import TrainingOrder
from medner.store.models import base_model_folder, base_model_name
from medner.training.loop.loop import Run
from medner.training.loop.settings import TaggerTraining
from medner.training.taggers.memory import LargestBatch, largest_rows

#: As a base: an encoder from random weights.
NEW = "new"


class StoppedError(Exception):
    """Somebody asked to stop where there is no checkpoint to write."""


def base_of(base: str | None) -> Path:
    """The folder of an order's base model. UserError when it is not on this machine."""
    return base_model_folder(base or DEFAULT_MODEL)


@dataclass(frozen=True, slots=True)
class Finished:
    """What a training leaves besides the learner's files: its card, and what the card tells readers of its own."""

    card: AdapterCard | FilterCard | JudgeCard
    about: Mapping[str, Any] = field(default_factory=dict)
    scores: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Basis:
    """What every training has: its order, settings, base model's folder (None: an encoder that is new), label set."""

    order: TrainingOrder
    settings: TaggerTraining
    base: Path | None
    labels: LabelSet
    usual_name: str

    @property
    def name(self) -> str:
        """The name on the card."""
        return self.order.name or self.usual_name

    @property
    def base_name(self) -> str:
        """What the card calls the base model."""
        return NEW if self.base is None else base_model_name(self.base)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training before it begins: the data are read, but no model is loaded before :attr:`learner`.

    ``summary`` is the data in a line. ``task`` is what two parts of one run must have in common besides the settings
    and what all roles share; its keys and values are those that version 0.1.0 wrote, so that its runs are continued.
    ``about`` is what config.json tells readers of this role. ``epoch`` gives the batches of an epoch, numbered from 0;
    ``largest`` the largest of them, for the memory (None: it cannot be known), and ``ways_out`` the options that make a
    run need less.

    ``finish`` gets the run and its learner: it chooses thresholds on what was held back and writes what belongs beside
    the learner's files. ``last`` are the files that appear then. With the card among them (the usual case) a run that
    was stopped cannot be used before it has continued. ``evaluate`` gets the adapter and ``stop`` and gives the score
    in a line, or raises StoppedError.
    """

    basis: Basis
    sources: tuple[Path, ...]
    excluded: tuple[Path, ...]
    summary: str
    task: Mapping[str, Any]
    epoch: Callable[[int], Sequence[Any]]
    learner: Callable[[], Any]
    finish: Callable[[Run[Any], Any], Finished]
    last: tuple[str, ...] = (CARD,)
    about: Mapping[str, Any] = field(default_factory=dict)
    largest: Callable[[Sequence[Any]], LargestBatch] | None = largest_rows
    ways_out: tuple[str, ...] = ("fewer --batch-tokens", "a smaller --base")
    evaluate: Callable[[Path, Callable[[], bool]], str] | None = None
