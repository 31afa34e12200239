"""Training a tagger that writes entities as text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

from medner.agents.strategies import CODECS
from medner.core.choices import DEFAULT_MODEL
from medner.core.errors import UserError
from medner.core.labels import label_set_toml, load_label_set
from medner.service.build.engines import EngineFactory
from medner.service.config.cards import AdapterCard
from medner.service.config.configuration import Configuration
from medner.service.config.taggers import TaggerConfig
from medner.service.train.orders import TaggerOrder
from medner.service.train.provenance import named_hashes
from medner.service.train.scores import Scoring, score_tagger
from medner.service.train.training import Basis, Finished, Training, base_of
from medner.training.loop.batching import epochs_of
from medner.training.model.lora import load_tokenizer
from medner.training.taggers.data import TaskForm, training_data
from medner.training.taggers.examples import answer_vocabulary
from medner.training.taggers.learner import TaggerLearner
from medner.training.taggers.memory import largest_batch, tagger_ways_out
from medner.training.taggers.plan import tagger_plan


def tagger_training(order: TaggerOrder, engine_factory: EngineFactory | None = None) -> Training:
    """The training of an order. Its adapter can be used from the first checkpoint on."""
    if order.strategy not in CODECS:
        raise UserError(f"no strategy {order.strategy!r}; there are {', '.join(CODECS)}")
    plan, labels = tagger_plan(order.recipe, **order.settings), load_label_set(order.labels)
    model = order.base or (order.recipe.base if order.recipe else DEFAULT_MODEL)
    base, settings = base_of(model), plan.training
    basis = Basis(order, settings, base, labels, order.strategy)
    # What is scored at the end must not be learnt either.
    unseen = (*order.exclude, *([order.evaluate] if order.evaluate else []))
    data = training_data(
        load_tokenizer(base),
        order.files,
        TaskForm(labels, order.strategy, order.style),
        exclude=unseen,
        max_tokens=plan.max_tokens,
        options=order.options,
    )
    vocabulary = None if settings.whole_vocabulary else len(answer_vocabulary(data.examples))
    label_hash = hashlib.sha256(label_set_toml(order.labels).encode()).hexdigest()
    return Training(
        basis=basis,
        sources=order.files,
        excluded=unseen,
        summary=f"{len(data.examples):,} examples of {data.documents:,} documents ({data.excluded:,} excluded, "
        f"{data.too_long:,} sentences too long, {data.torn:,} entities in no one sentence), "
        f"{data.tokens:,} tokens an epoch",
        task={
            "labels": f"{labels.name} sha256:{label_hash}",
            "strategy": order.strategy,
            "style": order.style,
            "max_tokens": plan.max_tokens,
            "data": named_hashes(order.files),
            "exclude": named_hashes(unseen),
        },
        about={
            "recipe": None if order.recipe is None else order.recipe.name,
            "examples": len(data.examples),
            "tokens_an_epoch": data.tokens,
        },
        epoch=epochs_of(data.examples, settings),
        learner=partial(TaggerLearner, base, data.examples, settings, start=order.start),
        finish=lambda *_: Finished(_card(basis, order), {"examples": len(data.examples)}),
        last=(),
        largest=partial(largest_batch, vocabulary=vocabulary),
        ways_out=tuple(tagger_ways_out(settings)),
        evaluate=partial(_score, order, model, engine_factory) if order.evaluate else None,
    )


def _card(basis: Basis, order: TaggerOrder) -> AdapterCard:
    return AdapterCard(
        name=basis.name,
        base=basis.base_name,
        labels=basis.labels.name,
        strategy=order.strategy,
        style=order.style,
    )


def _score(
    order: TaggerOrder, model: str, factory: EngineFactory | None, adapter: Path, stop: Callable[[], bool]
) -> str:
    """The strict micro score, run as a user would run it."""
    tagger = TaggerConfig.model_validate(
        {"name": order.name or order.strategy, "strategy": order.strategy, "style": order.style, "adapter": adapter}
    )
    configuration = Configuration(
        labels=order.labels, model=model, taggers=(tagger,), join_lines=order.options.join_lines
    )
    scoring = Scoring(configuration, base_of(model), cast("Path", order.evaluate), order.options)
    return score_tagger(scoring, order.out, factory, stop)
