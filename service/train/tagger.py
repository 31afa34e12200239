"""One run of `medner train tagger`, from its order to an adapter with its card."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from medner.agents.engines.local.formats import pick_device
from medner.agents.engines.local.loading import quiet
from medner.agents.strategies import CODECS
from medner.core.choices import DEFAULT_LABELS, DEFAULT_MODEL
from medner.core.errors import UserError
from medner.core.files.atomic import replacing_file
from medner.core.files.names import ADAPTER_WEIGHTS, CARD
from medner.core.labels import label_set_toml, load_label_set
from medner.core.memory import in_gb
from medner.core.stop_signal import stop_asked
from medner.service.annotate.counts import duration
from medner.service.build.engines import EngineFactory
from medner.service.config.configuration import Configuration
from medner.service.config.taggers import TaggerConfig
from medner.service.train.cards import TaggerCard, licence_note, machine_facts
from medner.service.train.progress import TrainingProgress
from medner.service.train.scores import EVALUATION, Scoring, score_tagger
from medner.store.corpora import NO_OPTIONS, ReadOptions
from medner.store.models import base_model_folder, base_model_name
from medner.training.loop.loop import Run, batches_of, refuse_another
from medner.training.loop.run import RunFacts, RunFolder
from medner.training.model.lora import load_tokenizer
from medner.training.plot import loss_svg
from medner.training.recipes import Recipe
from medner.training.taggers.data import TaskForm, TrainingData, named_hash, named_start, training_data
from medner.training.taggers.examples import Example, answer_vocabulary
from medner.training.taggers.learner import TaggerLearner, epochs_of, tagger_run
from medner.training.taggers.memory import (
    available_bytes,
    check_memory,
    described,
    largest_batch,
    memory_need,
    tagger_ways_out,
)
from medner.training.taggers.plan import TaggerPlan, tagger_plan

Say = Callable[[str], None]

STOPPED = 130
PLOT = "loss.svg"


@dataclass(frozen=True, slots=True)
class TaggerOrder:
    """What is to be trained, on what, and where it goes. ``given`` are settings that replace the recipe's."""

    files: tuple[Path, ...]
    out: Path
    strategy: str = "symbol"
    style: str = "brief"
    labels: str = DEFAULT_LABELS
    base: str | None = None
    recipe: Recipe | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    exclude: tuple[Path, ...] = ()
    evaluate: Path | None = None
    start: Path | None = None
    name: str | None = None
    data_note: str = ""
    command: str = ""
    options: ReadOptions = NO_OPTIONS
    force: bool = False
    dry_run: bool = False


def train_tagger(order: TaggerOrder, say: Say, *, engine_factory: EngineFactory | None = None) -> int:
    """Carries an order out and gives the exit code: 0, or 130 when it was stopped (its adapter is usable then too).

    ``engine_factory`` is what the evaluation runs on, None the local engine.
    """
    return _Run(order, say, engine_factory).carry_out()


class _Run:
    """The parts of a run that its steps share."""

    def __init__(self, order: TaggerOrder, say: Say, engine_factory: EngineFactory | None) -> None:
        if order.strategy not in CODECS:
            raise UserError(f"no strategy {order.strategy!r}; there are {', '.join(CODECS)}")
        if order.start is not None and not (order.start / ADAPTER_WEIGHTS).is_file():
            raise UserError(f"{order.start}: holds no adapter (no {ADAPTER_WEIGHTS})")
        self._order, self._say, self._factory = order, say, engine_factory
        self._name = order.name or order.strategy
        self._plan: TaggerPlan = tagger_plan(order.recipe, **order.given)
        self._form = TaskForm(load_label_set(order.labels), order.strategy, order.style)
        self._base = order.base or (order.recipe.base if order.recipe else DEFAULT_MODEL)

    @cached_property
    def _folder(self) -> Path:
        return base_model_folder(self._base)

    @cached_property
    def _data(self) -> TrainingData:
        tokenizer = load_tokenizer(self._folder)
        return training_data(
            tokenizer,
            self._order.files,
            self._form,
            exclude=self._unseen,
            max_tokens=self._plan.max_tokens,
            options=self._order.options,
        )

    @property
    def _base_name(self) -> str:
        """What the card calls the base model: its name in the store, else its folder's without the way there."""
        return base_model_name(self._folder)

    @property
    def _unseen(self) -> tuple[Path, ...]:
        # Whatever is scored at the end must not have been learnt.
        order = self._order
        return (*order.exclude, *([order.evaluate] if order.evaluate else []))

    def carry_out(self) -> int:
        data = self._data
        self._say(
            f"{len(data.examples):,} examples of {data.documents:,} documents ({data.excluded:,} excluded, "
            f"{data.too_long:,} sentences too long, {data.torn:,} entities in no one sentence), "
            f"{data.tokens:,} tokens an epoch"
        )
        self._check_memory()
        with quiet():
            training = self._training()
        if self._order.dry_run:
            self._tell_plan(training)
            return 0
        ended = self._train(training)
        card = self._card(training)
        run = training.folder
        del training
        gc.collect()
        self._write(run, card)
        if not ended:
            self._say(f"stopped; the adapter so far is in {run.adapter}; the same command goes on from there")
            return STOPPED
        if self._order.evaluate is not None:
            line = score_tagger(self._scoring(run, self._order.evaluate), run.path, engine_factory=self._factory)
            self._say(line)
            self._write(run, card.scored(line))
        self._tell_end(run)
        return 0

    def _training(self) -> Run[list[Example]]:
        examples, settings = self._data.examples, self._plan.training
        refuse_another(self._order.out, settings, self._facts)
        learner = TaggerLearner(self._folder, examples, settings, start=self._order.start)
        return tagger_run(learner, self._order.out, examples, settings, facts=self._facts)

    def _check_memory(self) -> None:
        settings, device = self._plan.training, pick_device()
        vocabulary = None if settings.whole_vocabulary else len(answer_vocabulary(self._data.examples))
        batch = largest_batch(batches_of(epochs_of(self._data.examples, settings), settings.epochs), vocabulary)
        need = memory_need(self._folder, settings, batch, device=device.type)
        available = available_bytes(device)
        free = "unknown" if available is None else in_gb(available)
        self._say(f"memory: about {in_gb(need.total)} needed ({described(need)}), {free} free")
        if not self._order.force:
            check_memory(need, available, tagger_ways_out(settings))

    def _tell_plan(self, training: Run[list[Example]]) -> None:
        left = training.batches[training.done :]
        tokens = sum(len(example) for batch in left for example in batch)
        speed = training.seconds_a_token()
        limit = max(0.0, self._plan.training.time_limit_s - training.seconds)
        self._say(
            f"{len(left):,} batches, {tokens:,} tokens at {1 / speed:,.0f} tokens/s (one step measured): "
            f"{duration(tokens * speed)}; the time limit leaves {duration(limit)}. Nothing was written"
        )

    def _train(self, training: Run[list[Example]]) -> bool:
        progress = TrainingProgress(
            self._say, limit_s=training.settings.time_limit_s, resumed=training.tokens, spent_s=training.seconds
        )
        if training.done:
            self._say(f"going on after batch {training.done:,} of {len(training.batches):,}")
        with stop_asked(lambda: self._say("stopping after this step; once more stops at once")) as stop:
            return training.train(lambda now: progress.step(now.step), on_checkpoint=progress.checkpoint, stop=stop)

    def _write(self, run: RunFolder, card: TaggerCard) -> None:
        points = [(float(step.batch), step.loss) for step in run.curve()]
        with replacing_file(run.path / PLOT) as out:
            out.write(loss_svg(points, title=f"{card.name}: {card.base}, {card.labels}, {card.strategy}"))
        with replacing_file(run.adapter / CARD) as out:
            out.write(card.toml())

    def _tell_end(self, run: RunFolder) -> None:
        places = {"adapter": run.adapter, "card": run.adapter / CARD, "loss curve": run.path / PLOT}
        if self._order.evaluate is not None:
            places["evaluation"] = run.path / EVALUATION
        self._say("done: " + ", ".join(f"{what} {path}" for what, path in places.items()))

    def _scoring(self, run: RunFolder, gold: Path) -> Scoring:
        order = self._order
        tagger = TaggerConfig.model_validate(
            {"name": self._name, "strategy": order.strategy, "style": order.style, "adapter": run.adapter}
        )
        configuration = Configuration(
            labels=order.labels, model=self._base, taggers=(tagger,), join_lines=order.options.join_lines
        )
        return Scoring(configuration, self._folder, gold, order.options)

    @cached_property
    def _facts(self) -> RunFacts:
        order = self._order
        label_hash = hashlib.sha256(label_set_toml(order.labels).encode()).hexdigest()
        task = {
            "base": self._base_name,
            "labels": f"{self._form.labels.name} sha256:{label_hash}",
            "strategy": order.strategy,
            "style": order.style,
            "max_tokens": self._plan.max_tokens,
            "data": [named_hash(file) for file in order.files],
            "exclude": [named_hash(file) for file in self._unseen],
            "start": None if order.start is None else named_start(order.start),
        }
        about = {
            "name": self._name,
            "recipe": None if order.recipe is None else order.recipe.name,
            "command": order.command,
            "examples": len(self._data.examples),
            "tokens_an_epoch": self._data.tokens,
            **machine_facts(),
        }
        return RunFacts(task, about)

    def _card(self, training: Run[list[Example]]) -> TaggerCard:
        order, settings, task = self._order, training.settings, self._facts.task
        return TaggerCard(
            name=self._name,
            base=self._base_name,
            labels=self._form.labels.name,
            strategy=order.strategy,
            style=order.style,
            start=task["start"],
            data=tuple(task["data"]),
            excluded=tuple(task["exclude"]),
            examples=len(self._data.examples),
            tokens=training.tokens,
            epochs=round(settings.epochs * training.done / len(training.batches), 3),
            seconds=round(training.seconds),
            seed=settings.seed,
            rank=settings.rank,
            learning_rate=settings.learning_rate,
            quantise=settings.quantise,
            command=order.command,
            licence_note=licence_note(self._base_name, order.data_note),
        )
