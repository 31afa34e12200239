"""Training a tagger that writes entities as text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from medner.agents.strategies import CODECS
from medner.core.choices import DEFAULT_MODEL
from medner.core.errors import UserError
from medner.core.labels import label_set_toml
from medner.service.build.engines import EngineFactory
from medner.service.config.cards import AdapterCard, StyleName, TaggerKind
from medner.service.config.configuration import Configuration, TaggerConfig
from medner.service.train.orders import TaggerOrder
from medner.service.train.provenance import named_hashes
from medner.service.train.scores import Scoring, score_tagger
from medner.service.train.training import Finished, Training, base_of
from medner.training.loop.loop import Run
from medner.training.model.lora import load_tokenizer
from medner.training.taggers.data import TaskForm, training_data
from medner.training.taggers.examples import answer_vocabulary
from medner.training.taggers.learner import TaggerLearner, epochs_of
from medner.training.taggers.memory import LargestBatch, largest_batch, tagger_ways_out
from medner.training.taggers.plan import tagger_plan


class TextTaggerTraining(Training[TaggerOrder]):
    """A tagger before its training. Its adapter can be used from the first checkpoint on."""

    last = ()

    def __init__(self, order: TaggerOrder, engine_factory: EngineFactory | None = None) -> None:
        if order.strategy not in CODECS:
            raise UserError(f"no strategy {order.strategy!r}; there are {', '.join(CODECS)}")
        plan, recipe = tagger_plan(order.recipe, **order.settings), order.recipe
        self._model = order.base or (recipe.base if recipe else DEFAULT_MODEL)
        super().__init__(order, plan.training, base=base_of(self._model))
        self._factory, self._max_tokens = engine_factory, plan.max_tokens
        self._data = training_data(
            load_tokenizer(self.base.needed_folder),
            order.files,
            TaskForm(self.labels, order.strategy, order.style),
            exclude=self.excluded,
            max_tokens=plan.max_tokens,
            options=order.options,
        )

    @property
    def name(self) -> str:
        """The strategy."""
        return self.order.strategy

    @property
    def excluded(self) -> tuple[Path, ...]:
        """What is scored at the end must not be learnt either."""
        evaluate = self.order.evaluate
        return (*self.order.exclude, *([evaluate] if evaluate else []))

    def summary(self) -> str:
        """Examples, and what was left out."""
        data = self._data
        return (
            f"{len(data.examples):,} examples of {data.documents:,} documents ({data.excluded:,} excluded, "
            f"{data.too_long:,} sentences too long, {data.torn:,} entities in no one sentence), "
            f"{data.tokens:,} tokens an epoch"
        )

    def task(self) -> Mapping[str, Any]:
        """The files by hash, and how they are put to the model."""
        order = self.order
        labels = hashlib.sha256(label_set_toml(order.labels).encode()).hexdigest()
        return {
            "labels": f"{self.labels.name} sha256:{labels}",
            "strategy": order.strategy,
            "style": order.style,
            "max_tokens": self._max_tokens,
            "data": named_hashes(order.files),
            "exclude": named_hashes(self.excluded),
        }

    def about(self) -> Mapping[str, Any]:
        """The recipe, and how much there is to learn from."""
        recipe = self.order.recipe
        return {
            "recipe": None if recipe is None else recipe.name,
            "examples": len(self._data.examples),
            "tokens_an_epoch": self._data.tokens,
        }

    def epoch(self, number: int) -> Sequence[Any]:
        """Examples of similar length."""
        return epochs_of(self._data.examples, self.settings)(number)

    def largest(self, batches: Sequence[Any]) -> LargestBatch:
        """With the answers, over which the loss runs."""
        whole = self.settings.whole_vocabulary
        return largest_batch(batches, None if whole else len(answer_vocabulary(self._data.examples)))

    def ways_out(self) -> list[str]:
        """Those of `medner train tagger`."""
        return tagger_ways_out(self.settings)

    def learner(self) -> TaggerLearner:
        """The base with an adapter."""
        return TaggerLearner(self.base.needed_folder, self._data.examples, self.settings, start=self.order.start)

    def finish(self, run: Run[Any], learner: Any) -> Finished:  # noqa: ARG002  the contract's
        """The card alone."""
        order = self.order
        card = AdapterCard(
            name=order.name or self.name,
            base=self.base.name,
            labels=self.labels.name,
            strategy=cast("TaggerKind", order.strategy),
            style=cast("StyleName", order.style),
        )
        return Finished(card, {"examples": len(self._data.examples)})

    def evaluate(self, adapter: Path, stop: Callable[[], bool]) -> str | None:
        """The strict micro score, run as a user would run it."""
        order = self.order
        if order.evaluate is None:
            return None
        tagger = TaggerConfig.model_validate(
            {"name": order.name or self.name, "strategy": order.strategy, "style": order.style, "adapter": adapter}
        )
        configuration = Configuration(
            labels=order.labels, model=self._model, taggers=(tagger,), join_lines=order.options.join_lines
        )
        scoring = Scoring(configuration, self.base.needed_folder, order.evaluate, order.options)
        return score_tagger(scoring, order.out, engine_factory=self._factory, stop=stop)
