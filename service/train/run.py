"""Carries a training out: from an order to a folder with an adapter and its card, whatever is trained."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from medner.agents.engines.local.formats import pick_device
from medner.agents.engines.local.loading import quiet
from medner.core.errors import UserError
from medner.core.files.atomic import replacing_file
from medner.core.files.names import ADAPTER_WEIGHTS, CARD
from medner.core.memory import in_gb
from medner.service.annotate.counts import duration
from medner.service.build.engines import EngineFactory
from medner.service.config.cards import write_card
from medner.service.config.retired import refuse_retired
from medner.service.train.evidence import write_evidence_judge, write_lexicon
from medner.service.train.filter import filter_training
from medner.service.train.judge import judge_training
from medner.service.train.orders import (
    EvidenceOrder,
    FilterOrder,
    JudgeOrder,
    LexiconOrder,
    Order,
    SoftLabelOrder,
    SpanOrder,
    TaggerOrder,
)
from medner.service.train.progress import TrainingProgress
from medner.service.train.provenance import licence_note, machine_facts, named_hashes, named_start
from medner.service.train.soft_labels import label_softly
from medner.service.train.span import span_training
from medner.service.train.tagger import tagger_training
from medner.service.train.training import Finished, StoppedError, Training
from medner.training.loop.loop import Run, TrainingStep, batches_of, refuse_another
from medner.training.loop.run import RunFacts, RunFolder
from medner.training.plot import loss_svg
from medner.training.taggers.memory import available_bytes, check_memory, described, memory_need

Say = Callable[[str], None]
OnStep = Callable[[TrainingStep], None]
Stop = Callable[[], bool]
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
    on_step: OnStep = lambda _: None,
    stop: Stop = lambda: False,
    engine_factory: EngineFactory | None = None,
) -> Outcome:
    """Carries an order out. UserError for what the user can change.

    ``say`` gets lines for people, ``on_step`` each optimiser step. ``stop`` is asked between steps: where it says yes,
    the run ends with a checkpoint. ``engine_factory`` is what a tagger's evaluation runs on, None the local engine.
    """
    if isinstance(order, EvidenceOrder):
        write_evidence_judge(order, say)
        return Outcome(Ending.DONE, order.out)
    if isinstance(order, LexiconOrder):
        write_lexicon(order, say)
        return Outcome(Ending.DONE, order.out)
    if isinstance(order, SoftLabelOrder):
        try:
            label_softly(order, say, stop)
        except StoppedError:
            return Outcome(Ending.STOPPED, order.out)
        return Outcome(Ending.DONE, order.out)
    training = _training(order, engine_factory)
    say(training.summary)
    learner, run = _loaded(training, say)
    output = run.output
    if order.dry_run:
        say(_plan(run))
        return Outcome(Ending.PLANNED, output)
    ended = _trained(run, say, on_step, stop)
    if not ended and CARD in training.last:
        return Outcome(Ending.STOPPED, output)
    finished, about = training.finish(run, learner), _about(training, run)
    _write(training, finished, about, finished.scores)
    if not ended:
        say(f"the adapter so far is in {output}")
        return Outcome(Ending.STOPPED, output)
    # The evaluation loads the base again.
    del learner, run
    gc.collect()
    try:
        scores = (*finished.scores, *_evaluated(training, output, stop))
    except StoppedError:
        return Outcome(Ending.STOPPED, output, finished.scores)
    _write(training, finished, about, scores)
    for line in (*scores, f"done: adapter {output}, card {output / CARD}, loss curve {order.out / PLOT}"):
        say(line)
    return Outcome(Ending.DONE, output, scores)


def _training(order: TaggerOrder | SpanOrder | FilterOrder | JudgeOrder, factory: EngineFactory | None) -> Training:
    if order.start is not None and not (order.start / ADAPTER_WEIGHTS).is_file():
        refuse_retired(order.start)
        raise UserError(f"{order.start}: holds no adapter (no {ADAPTER_WEIGHTS})")
    match order:
        case TaggerOrder():
            return tagger_training(order, factory)
        case SpanOrder():
            return span_training(order)
        case FilterOrder():
            return filter_training(order)
        case JudgeOrder():
            return judge_training(order)


def _loaded(training: Training, say: Say) -> tuple[Any, Run[Any]]:
    """What learns, and its run. UserError for another run's folder or too little memory, before a model is loaded."""
    facts, settings, folder = _facts(training), training.basis.settings, training.basis.order.out
    refuse_another(folder, settings, facts)
    _check_memory(training, say)
    with quiet():
        learner = training.learner()
        return learner, Run(learner, training.epoch, folder, settings, facts=facts, last=training.last)


def _trained(run: Run[Any], say: Say, on_step: OnStep, stop: Stop) -> bool:
    """Whether the run got to its end."""
    if run.done:
        say(f"going on after batch {run.done:,} of {len(run.batches):,}")
    progress = TrainingProgress(
        say, limit_s=run.settings.time_limit_s, resumed=run.tokens, spent_s=run.seconds, on_step=on_step
    )
    return run.train(progress.step, on_checkpoint=progress.checkpoint, stop=stop)


def _facts(training: Training) -> RunFacts:
    shared = {"base": training.basis.base_name, "labels": training.basis.labels.name, "start": _start(training)}
    about = {"name": training.basis.name, "command": training.basis.order.command, **training.about, **machine_facts()}
    return RunFacts({**shared, **training.task}, about)


def _start(training: Training) -> str | None:
    return None if training.basis.order.start is None else named_start(training.basis.order.start)


def _check_memory(training: Training, say: Say) -> None:
    """Says what memory is needed and what is free. UserError when that is less, unless the order forces it."""
    if training.basis.base is None or training.largest is None:
        return
    batch, device = training.largest(batches_of(training.epoch, training.basis.settings.epochs)), pick_device()
    need = memory_need(training.basis.base, training.basis.settings, batch, device=device.type)
    available = available_bytes(device)
    free = "unknown" if available is None else in_gb(available)
    say(f"memory: about {in_gb(need.total)} needed ({described(need)}), {free} free")
    if not training.basis.order.force:
        check_memory(need, available, training.ways_out)


def _plan(run: Run[Any]) -> str:
    """What a run would take, after one measured step."""
    left, tokens, speed = len(run.batches) - run.done, run.tokens_left(), run.seconds_a_token()
    limit = max(0.0, run.settings.time_limit_s - run.seconds)
    return (
        f"{left:,} batches, {tokens:,} tokens at {1 / speed:,.0f} tokens/s (one step measured): "
        f"{duration(tokens * speed)}; the time limit leaves {duration(limit)}. Nothing was written"
    )


def _about(training: Training, run: Run[Any]) -> dict[str, Any]:
    """What every card tells readers of the data, the run and its settings."""
    order, settings = training.basis.order, training.basis.settings
    return {
        "start": _start(training),
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
        if training.basis.base is None
        else licence_note(training.basis.base_name, order.data_note),
    }


def _write(training: Training, finished: Finished, about: Mapping[str, Any], scores: tuple[str, ...]) -> None:
    """Writes the card and the plot of the loss."""
    card, folder = finished.card, RunFolder(training.basis.order.out)
    points = [(float(step.batch), step.loss) for step in folder.curve()]
    with replacing_file(folder.path / PLOT) as out:
        out.write(loss_svg(points, title=f"{card.name}: {card.base}, {card.labels}, {training.basis.usual_name}"))
    write_card(folder.adapter, card, {**about, **finished.about, "scores": list(scores)})


def _evaluated(training: Training, adapter: Path, stop: Stop) -> tuple[str, ...]:
    """The score of the finished adapter in a line, where the order asks for one."""
    return (training.evaluate(adapter, stop),) if training.evaluate else ()
