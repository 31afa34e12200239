"""The kinds of filters that can be trained: what each learns from, what learns, and how it is calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

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
from medner.training.loop.batching import batches_by_tokens
from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import load_tokenizer
from medner.training.taggers.examples import answer_vocabulary
from medner.training.taggers.learner import TaggerLearner, epochs_of
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


class TrainableFilter(Protocol):
    """One kind of filter with its data. The model is loaded by :meth:`learner`."""

    def epoch(self, number: int) -> Sequence[Any]:
        """The batches of an epoch, numbered from 0."""
        ...

    def largest(self, batches: Sequence[Any]) -> LargestBatch | None:
        """The largest of the batches; None where the memory cannot be known."""
        ...

    def learner(self) -> Any:
        """The model that learns."""
        ...

    def calibration(self, learner: Any) -> FilterCalibration:
        """How the model does on what was held back, and the threshold and temperature chosen there."""
        ...


class TrainableClassifier:
    """LLM-CLS."""

    def __init__(self, setup: TrainingSetup, data: FilterData) -> None:
        self._setup, self._data = setup, data
        self._tokens = Vocabulary(load_tokenizer(setup.needed_base()), frozenset()).encode
        self._rows = packed_rows(self._tokens, data.train, setup.labels)

    def epoch(self, number: int) -> Sequence[Any]:
        """Packed rows: a sentence with its candidates."""
        settings = self._setup.settings
        return batches_by_tokens(self._rows, budget=settings.batch_tokens, seed=settings.seed + number)

    def largest(self, batches: Sequence[Any]) -> LargestBatch:
        """Rows without answers."""
        return largest_rows(batches)

    def learner(self) -> ClassifierLearner:
        """The base with an adapter and a classification layer."""
        setup = self._setup
        return ClassifierLearner(setup.needed_base(), setup.settings, start=setup.start, two_way=setup.two_way)

    def calibration(self, learner: ClassifierLearner) -> FilterCalibration:
        """On the rows held back."""
        # Rows come in the order of their sentences, so the truth is read off them too.
        held = packed_rows(self._tokens, self._data.held.candidates, self._setup.labels)
        right = [target > 0.5 for row in held for target in row.targets]
        return calibrated(learner.score(held), right, gold=self._data.held.gold)


class TrainableCausal:
    """LLM-CAUSAL."""

    def __init__(self, setup: TrainingSetup, data: FilterData) -> None:
        self._setup, self._data = setup, data
        self._chat = ChatTokens(load_tokenizer(setup.needed_base()))
        self._examples = causal_examples(self._chat, data.train, setup.labels)

    def epoch(self, number: int) -> Sequence[Any]:
        """Chats with an answer of one token."""
        return epochs_of(self._examples, self._setup.settings)(number)

    def largest(self, batches: Sequence[Any]) -> LargestBatch:
        """Chats with their answers."""
        whole = self._setup.settings.whole_vocabulary
        return largest_batch(batches, None if whole else len(answer_vocabulary(self._examples)))

    def learner(self) -> TaggerLearner:
        """The base with an adapter."""
        setup = self._setup
        return TaggerLearner(setup.needed_base(), self._examples, setup.settings, start=setup.start)

    def calibration(self, learner: TaggerLearner) -> FilterCalibration:
        """On the chats held back."""
        held = self._data.held.candidates
        examples = causal_examples(self._chat, held, self._setup.labels)
        scores = causal_scores(learner.model, examples, answers(self._chat))
        return calibrated(scores, [one.right for one in held], gold=self._data.held.gold)


class TrainableEncoder:
    """BERT-CLS, from a pretrained encoder, or from random weights where there is no base."""

    def __init__(self, setup: TrainingSetup, data: FilterData) -> None:
        self._setup, self._data = setup, data
        seed = setup.settings.seed
        if setup.base is None:
            self._learner = new_encoder(data.train, setup.labels, seed=seed)
        else:
            self._learner = pretrained_encoder(setup.base, seed=seed)
        self._samples = encoded_samples(self._learner, data.train, setup.labels)

    def epoch(self, number: int) -> Sequence[Any]:
        """Pairs of the candidate's type and the marked sentence."""
        settings = self._setup.settings
        return batches_by_tokens(self._samples, budget=settings.batch_tokens, seed=settings.seed + number)

    def largest(self, batches: Sequence[Any]) -> None:
        """Not known: an encoder's layers are not those of a language model."""

    def learner(self) -> Any:
        """The encoder. Small, and needed for its tokenizer, so it is there already."""
        return self._learner

    def calibration(self, learner: Any) -> FilterCalibration:
        """On the candidates held back."""
        held = self._data.held.candidates
        scores = learner.score(held, self._setup.labels)
        return calibrated(scores, [one.right for one in held], gold=self._data.held.gold)


KINDS: dict[str, type[TrainableClassifier] | type[TrainableCausal] | type[TrainableEncoder]] = {
    "llm-cls": TrainableClassifier,
    "llm-causal": TrainableCausal,
    "bert-cls": TrainableEncoder,
}
