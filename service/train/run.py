"""Carries a training out: from an order to a folder with an adapter and its card, whatever is trained."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from medner.agents.engines.local.formats import pick_device
from medner.agents.engines.local.loading import quiet
from medner.core.files.atomic import replacing_file
from medner.core.files.names import CARD
from medner.service.annotate.counts import duration
from medner.service.build.engines import EngineFactory
from medner.service.config.cards import write_card
from medner.service.train.filter import FilterTraining
from medner.service.train.judge import JudgeTraining
from medner.service.train.orders import FilterOrder, JudgeOrder, Order, SoftLabelOrder, SpanOrder, TaggerOrder
from medner.service.train.progress import TrainingProgress
from medner.service.train.provenance import licence_note, machine_facts, named_hashes
from medner.service.train.soft_labels import label_softly
from medner.service.train.span import SpanTraining
from medner.service.train.tagger import TextTaggerTraining
from medner.service.train.training import Finished, StoppedError, Training, shared_task
from medner.training.loop.loop import Run, TrainingStep, batches_of, refuse_another
from medner.training.loop.run import RunFacts, RunFolder
from medner.training.plot import loss_svg
from medner.training.taggers.memory import available_bytes, check_memory, described, in_gb, memory_need

Say = Callable[[str], None]
PLOT = "loss.svg"


class Ending(StrEnum):
    """How a training ended: with its data or time; because it was asked to stop; as a dry run, which writes nothing."""

    DONE = "done"
    STOPPED = "stopped"
    PLANNED = "planned"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended, what it wrote (the adapter's folder, or the file of soft labels), and its scores in lines.

    After ``STOPPED`` the same order continues the run.
    """

    ending: Ending
    output: Path
    scores: tuple[str, ...] = ()


def carry_out(
    order: Order,
    say: Say = lambda _: None,
    *,
    on_step: Callable[[TrainingStep], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
    engine_factory: EngineFactory | None = None,
) -> Outcome:
    """Carries an order out. UserError for what the user can change.

    ``say`` gets lines for people, ``on_step`` each optimiser step. ``stop`` is asked between steps: where it says yes,
    the run ends with a checkpoint. ``engine_factory`` is what a tagger's evaluation runs on, None the local engine.
    """
    if isinstance(order, SoftLabelOrder):
        try:
            label_softly(order, say, stop)
        except StoppedError:
            return Outcome(Ending.STOPPED, order.out)
        return Outcome(Ending.DONE, order.out)
    training = _training(order, engine_factory)
    say(training.summary())
    facts = _facts(training)
    refuse_another(order.out, training.settings, facts)
    _check_memory(training, say)
    with quiet():
        learner = training.learner()
        run = Run(learner, training.epoch, order.out, training.settings, facts=facts, last=training.last)
    if order.dry_run:
        say(_plan(run))
        return Outcome(Ending.PLANNED, run.output)
    if run.done:
        say(f"going on after batch {run.done:,} of {len(run.batches):,}")
    progress = TrainingProgress(
        say, limit_s=run.settings.time_limit_s, resumed=run.tokens, spent_s=run.seconds, on_step=on_step
    )
    ended = run.train(progress.step, on_checkpoint=progress.checkpoint, stop=stop)
    if not ended and CARD in training.last:
        return Outcome(Ending.STOPPED, run.output)
    finished = training.finish(run, learner)
    write = _Writer(training, finished, _told(training, run))
    write(finished.scores)
    if not ended:
        say(f"the adapter so far is in {run.output}")
        return Outcome(Ending.STOPPED, run.output)
    output = run.output
    # The evaluation loads the base again.
    del learner, run
    gc.collect()
    return _evaluated(training, write, finished.scores, output, say, stop)


def _training(
    order: TaggerOrder | SpanOrder | FilterOrder | JudgeOrder, factory: EngineFactory | None
) -> Training[Any]:
    match order:
        case TaggerOrder():
            return TextTaggerTraining(order, factory)
        case SpanOrder():
            return SpanTraining(order)
        case FilterOrder():
            return FilterTraining(order)
        case JudgeOrder():
            return JudgeTraining(order)


def _facts(training: Training[Any]) -> RunFacts:
    order = training.order
    about = {"name": order.name or training.name, "command": order.command, **training.about(), **machine_facts()}
    return RunFacts({**shared_task(training), **training.task()}, about)


def _check_memory(training: Training[Any], say: Say) -> None:
    """Says what memory is needed and what is free. UserError when that is less, unless the order forces it."""
    batch = training.largest(batches_of(training.epoch, training.settings.epochs))
    if batch is None:
        return
    device = pick_device()
    need = memory_need(training.base.needed_folder, training.settings, batch, device=device.type)
    available = available_bytes(device)
    free = "unknown" if available is None else in_gb(available)
    say(f"memory: about {in_gb(need.total)} needed ({described(need)}), {free} free")
    if not training.order.force:
        check_memory(need, available, training.ways_out())


def _plan(run: Run[Any]) -> str:
    """What a run would take, after one measured step."""
    left, tokens, speed = len(run.batches) - run.done, run.tokens_left(), run.seconds_a_token()
    limit = max(0.0, run.settings.time_limit_s - run.seconds)
    return (
        f"{left:,} batches, {tokens:,} tokens at {1 / speed:,.0f} tokens/s (one step measured): "
        f"{duration(tokens * speed)}; the time limit leaves {duration(limit)}. Nothing was written"
    )


def _told(training: Training[Any], run: Run[Any]) -> dict[str, Any]:
    """What every card tells readers of the data, the run and its settings."""
    order, settings, start = training.order, training.settings, shared_task(training)["start"]
    return {
        "start": start,
        "data": named_hashes(training.sources),
        "excluded": named_hashes(training.excluded),
        "tokens": run.tokens,
        "seconds": round(run.seconds),
        "epochs": round(settings.epochs * run.done / len(run.batches), 3),
        "seed": settings.seed,
        "rank": settings.rank,
        "learning_rate": settings.learning_rate,
        "quantise": settings.quantise,
        "products": settings.products,
        "command": order.command,
        "licence_note": order.data_note
        if training.base.folder is None
        else licence_note(training.base.name, order.data_note),
    }


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the card and the plot of the loss."""

    training: Training[Any]
    finished: Finished
    told: dict[str, Any]

    def __call__(self, scores: tuple[str, ...]) -> None:
        training, card, folder = self.training, self.finished.card, RunFolder(self.training.order.out)
        points = [(float(step.batch), step.loss) for step in folder.curve()]
        with replacing_file(folder.path / PLOT) as out:
            out.write(loss_svg(points, title=f"{card.name}: {card.base}, {card.labels}, {training.name}"))
        write_card(folder.adapter, card, {**self.told, **self.finished.about, "scores": list(scores)})


def _evaluated(
    training: Training[Any], write: _Writer, scores: tuple[str, ...], adapter: Path, say: Say, stop: Callable[[], bool]
) -> Outcome:
    """The end of a run that has got to it: its scores said and written."""
    for line in scores:
        say(line)
    try:
        score = training.evaluate(adapter, stop)
    except StoppedError:
        return Outcome(Ending.STOPPED, adapter, scores)
    if score is not None:
        say(score)
        scores = (*scores, score)
        write(scores)
    say(f"done: adapter {adapter}, card {adapter / CARD}, loss curve {training.order.out / PLOT}")
    return Outcome(Ending.DONE, adapter, scores)
