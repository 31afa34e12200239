"""The kinds of filters that can be trained: what each learns from, what learns, and how it is calibrated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from medner.agents.engines.local.chat import ChatTokens
from medner.agents.engines.local.vocabulary import Vocabulary
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.training.filters.calibration import FilterCalibration, calibrated
from medner.training.filters.causal import answers, causal_examples, causal_scores
from medner.training.filters.classifier import ClassifierLearner
from medner.training.filters.data import FilterData
from medner.training.filters.encoder import encoded_samples, new_encoder, pretrained_encoder
from medner.training.filters.packing import packed_rows
from medner.training.loop.batching import epochs_of
from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import load_tokenizer
from medner.training.taggers.examples import answer_vocabulary
from medner.training.taggers.learner import TaggerLearner
from medner.training.taggers.memory import LargestBatch, largest_batch, largest_rows


@dataclass(frozen=True, slots=True)
class TrainingSetup:
    """What a filter or a judge is trained from.

    ``base`` is a model's folder (None: a new encoder), ``start`` an adapter to go on from. ``two_way``:
    :class:`ClassifierLearner`.
    """

    base: Path | None
    labels: LabelSet
    settings: TaggerTraining
    start: Path | None = None
    two_way: bool = False

    def needed_base(self) -> Path:
        """The model's folder; UserError when there is none."""
        if self.base is None:
            raise UserError("--base new makes an encoder, for --kind bert-cls; the other kinds need a base model")
        return self.base


@dataclass(frozen=True, slots=True)
class TrainableFilter:
    """A filter with its data: the batches of an epoch, what loads the learner, the largest of some batches.

    ``calibration`` chooses threshold and temperature on what was held back. ``largest`` None: the memory cannot be
    known.
    """

    epoch: Callable[[int], Sequence[Any]]
    learner: Callable[[], Any]
    calibration: Callable[[Any], FilterCalibration]
    largest: Callable[[Sequence[Any]], LargestBatch] | None = largest_rows


def llm_cls(setup: TrainingSetup, data: FilterData) -> TrainableFilter:
    """An adapter and a classification layer; a row is a sentence with its candidates."""
    base, settings = setup.needed_base(), setup.settings
    tokens = Vocabulary(load_tokenizer(base), frozenset()).encode

    def calibration(learner: ClassifierLearner) -> FilterCalibration:
        # Rows come in the order of their sentences, so the truth is read off them too.
        held = packed_rows(tokens, data.held.candidates, setup.labels)
        right = [target > 0.5 for row in held for target in row.targets]
        return calibrated(learner.score(held), right, gold=data.held.gold)

    return TrainableFilter(
        epochs_of(packed_rows(tokens, data.train, setup.labels), settings),
        lambda: ClassifierLearner(base, settings, start=setup.start, two_way=setup.two_way),
        calibration,
    )


def llm_causal(setup: TrainingSetup, data: FilterData) -> TrainableFilter:
    """An adapter that answers a chat with yes or no."""
    base, settings, held = setup.needed_base(), setup.settings, data.held.candidates
    chat = ChatTokens(load_tokenizer(base))
    examples = causal_examples(chat, data.train, setup.labels)
    vocabulary = None if settings.whole_vocabulary else len(answer_vocabulary(examples))

    def calibration(learner: TaggerLearner) -> FilterCalibration:
        scores = causal_scores(learner.model, causal_examples(chat, held, setup.labels), answers(chat))
        return calibrated(scores, [one.right for one in held], gold=data.held.gold)

    return TrainableFilter(
        epochs_of(examples, settings),
        lambda: TaggerLearner(base, examples, settings, start=setup.start),
        calibration,
        partial(largest_batch, vocabulary=vocabulary),
    )


def bert_cls(setup: TrainingSetup, data: FilterData) -> TrainableFilter:
    """An encoder, pretrained, or from random weights where there is no base; small, and loaded for its tokenizer."""
    seed, held = setup.settings.seed, data.held.candidates
    if setup.base is None:
        learner = new_encoder(data.train, setup.labels, seed=seed)
    else:
        learner = pretrained_encoder(setup.base, seed=seed)

    def calibration(_: Any) -> FilterCalibration:
        right = [one.right for one in held]
        return calibrated(learner.score(held, setup.labels), right, gold=data.held.gold)

    samples = encoded_samples(learner, data.train, setup.labels)
    return TrainableFilter(epochs_of(samples, setup.settings), lambda: learner, calibration, largest=None)


@dataclass(frozen=True, slots=True)
class FilterKind:
    """A kind of filter: what makes one of data, and the settings it is trained with where nothing else is chosen.

    ``has_encoder``: it is an encoder of its own, without an adapter; ``may_be_two_way``: its sentence may look both
    ways.
    """

    prepare: Callable[[TrainingSetup, FilterData], TrainableFilter]
    defaults: TaggerTraining
    has_encoder: bool = False
    may_be_two_way: bool = False


KINDS: dict[str, FilterKind] = {
    # A step for a few dozen candidates: small data wants many steps.
    "llm-cls": FilterKind(
        llm_cls, TaggerTraining(batch_tokens=512, batches_per_step=1, epochs=2.0), may_be_two_way=True
    ),
    "llm-causal": FilterKind(llm_causal, TaggerTraining(epochs=2.0)),
    "bert-cls": FilterKind(bert_cls, TaggerTraining(epochs=10.0), has_encoder=True),
}
