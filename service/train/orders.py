"""What can be trained: one order a role, with the fields that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from medner.core.choices import DEFAULT_LABELS
from medner.service.config.cards import FilterKind
from medner.store.corpora import NO_OPTIONS, ReadOptions
from medner.training.recipes import Recipe

if TYPE_CHECKING:
    from medner.training.spans.build import Fold

#: What scores a judge's candidates: a classification layer behind each, or a span head behind the sentence.
ScorerKind = Literal["classifier", "span"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """What every training has: annotated files, the run folder ``out``, label set, base model, settings.

    ``base`` is a name or a folder (``~`` is the home folder), None the role's default. Texts of ``exclude`` are not
    learnt from. ``start`` is the folder of an adapter to continue from. ``settings`` replace the role's: the fields of
    :class:`~medner.training.loop.settings.TaggerTraining`, and ``hours`` and ``checkpoint_minutes``. ``name``,
    ``data_note`` (the terms of the data) and ``command`` are for the card. ``options`` say how the files are read.
    ``force`` begins although there seems to be too little memory; ``dry_run`` measures one step and writes nothing.
    """

    files: tuple[Path, ...]
    out: Path
    labels: str = DEFAULT_LABELS
    base: str | None = None
    exclude: tuple[Path, ...] = ()
    start: Path | None = None
    name: str | None = None
    data_note: str = ""
    command: str = ""
    options: ReadOptions = NO_OPTIONS
    force: bool = False
    dry_run: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggerOrder(TrainingOrder):
    """A tagger that writes entities as text in a ``strategy``.

    ``settings`` win over the ``recipe``; they may have ``max_tokens``, the longest example. The adapter is scored on
    the file ``evaluate``, whose texts are not learnt from.
    """

    strategy: str = "symbol"
    style: str = "brief"
    recipe: Recipe | None = None
    evaluate: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanOrder(TrainingOrder):
    """A span tagger.

    Annotations of ``partial`` files may lack nested entities; at most ``most_partial`` of their documents are read.
    Sentences that files of ``soft_labels`` know are learnt with those labels; texts of ``fold`` are left out.
    ``split`` tells whether tokens that entities cut are read character by character. None: as the run that is
    continued did, and in a new run yes. (A tagger to start from has its own such tokens.)
    """

    partial: tuple[Path, ...] = ()
    most_partial: int | None = None
    soft_labels: tuple[Path, ...] = ()
    fold: Fold | None = None
    split: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterOrder(TrainingOrder):
    """A filter of a ``kind``.

    It learns from right and wrong ``samples`` made of the files (of ``partial`` ones too, which may lack nested
    entities) and from the ``predictions`` of taggers about the same texts. ``two_way``: whether the sentence's tokens
    look both ways (llm-cls). None: where ``start`` is a span tagger. ``base`` "new" makes an encoder (bert-cls).
    """

    kind: FilterKind = "llm-cls"
    partial: tuple[Path, ...] = ()
    predictions: tuple[Path, ...] = ()
    samples: int = 10_000
    two_way: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOrder(TrainingOrder):
    """A judge, from conflicts whose truth is known.

    ``files`` are gold documents, ``answers`` what several taggers found in them. ``side_by_side`` are files with
    gold and all answers on one line, ``decisions`` what people decided. ``scorer`` None: span where ``start`` is a
    span tagger, else classifier. ``two_way``: as for a filter; None: with a span tagger's adapter or head.
    """

    files: tuple[Path, ...] = ()
    answers: tuple[Path, ...] = ()
    side_by_side: tuple[Path, ...] = ()
    decisions: tuple[Path, ...] = ()
    scorer: ScorerKind | None = None
    two_way: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftLabelOrder:
    """The probabilities that span ``taggers`` (folders) give the entities of annotated files, written to ``out``.

    ``weight`` is that of the annotation, the taggers have the rest; stretches less probable than ``least`` are left
    out. ``fold``: only that part of the texts, which the taggers were trained without.
    """

    files: tuple[Path, ...]
    out: Path
    taggers: tuple[Path, ...]
    partial: tuple[Path, ...] = ()
    labels: str = DEFAULT_LABELS
    base: str | None = None
    fold: Fold | None = None
    weight: float = 0.5
    least: float = 0.01
    batch_tokens: int = 4_096
    options: ReadOptions = NO_OPTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceOrder:
    """An evidence judge, written to the folder ``out``.

    It learns what out-of-fold span taggers think (``soft_labels``, of weight 0) of the sentences of the annotated
    ``files``. The strings of ``files`` and ``partial``, without the texts of ``exclude``, are its lexicon. ``reader``
    is the span tagger that reads sentences for the judge, ``reader_labels`` what such taggers, trained in the same way
    without these sentences, think of them.
    """

    files: tuple[Path, ...]
    out: Path
    soft_labels: tuple[Path, ...]
    reader: Path | None = None
    reader_labels: tuple[Path, ...] = ()
    partial: tuple[Path, ...] = ()
    exclude: tuple[Path, ...] = ()
    labels: str = DEFAULT_LABELS
    name: str = "evidence"
    data_note: str = ""
    command: str = ""
    options: ReadOptions = NO_OPTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class LexiconOrder:
    """The lexicon of annotated files, written to ``out``: how often their strings occur, and as what."""

    files: tuple[Path, ...]
    out: Path
    partial: tuple[Path, ...] = ()
    exclude: tuple[Path, ...] = ()
    labels: str = DEFAULT_LABELS
    options: ReadOptions = NO_OPTIONS


Order = TaggerOrder | SpanOrder | FilterOrder | JudgeOrder | SoftLabelOrder | EvidenceOrder | LexiconOrder
