"""How a freshly trained tagger scores, run as a user would run it."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from medner.core.errors import ExternalError
from medner.core.files.atomic import replacing_file
from medner.core.records import AnnotatedDocument, Document
from medner.evaluation.reports.report import Evaluation, Setting, evaluate
from medner.evaluation.reports.structure import evaluation_json
from medner.evaluation.reports.wording import counted
from medner.service.annotate.counts import RunCounts
from medner.service.annotate.documents import Annotating
from medner.service.annotate.progress import showing
from medner.service.build.engines import EngineFactory, local_engine
from medner.service.build.pipeline import assembled
from medner.service.config.configuration import Configuration
from medner.service.inputs.splitting import Splitting
from medner.service.train.training import StoppedError
from medner.store.corpora import NO_OPTIONS, ReadOptions, read_documents, write_documents

EVALUATION, PREDICTIONS = "evaluation.json", "predictions.jsonl"


@dataclass(frozen=True, slots=True)
class Scoring:
    """A tagger to score: its configuration, its base model's folder, and the held-out file with the gold entities.

    ``options`` say how the file is read.
    """

    configuration: Configuration
    model: Path
    gold: Path
    options: ReadOptions = NO_OPTIONS


def score_tagger(scoring: Scoring, run: Path, engine_factory: EngineFactory | None, stop: Callable[[], bool]) -> str:
    """Annotates the held-out file, writes the scores and the predictions to a run folder; the score in one line.

    ``engine_factory`` None: the local engine. ExternalError when a sentence has no result, StoppedError when ``stop``
    said so before the end.
    """
    configuration = scoring.configuration
    labels = configuration.label_set
    gold = list(read_documents(scoring.gold, labels=labels, options=scoring.options))
    found = _annotated(scoring, gold, engine_factory or local_engine, stop)
    predicted = [Document(one.document.id, one.document.text, one.entities) for one in found]
    write_documents(predicted, run / PREDICTIONS, format="jsonl", labels=labels)
    name = configuration.taggers[0].name
    # The base model by its name: where it lies is of no interest to a reader of the score.
    described = {**configuration.described(), "model": scoring.model.name}
    setting = Setting(labels=labels, configuration=", ".join(described.values()))
    evaluation = evaluate(gold, {name: predicted}, setting, gold_name=scoring.gold.name)
    with replacing_file(run / EVALUATION) as out:
        out.write(json.dumps(evaluation_json(evaluation), ensure_ascii=False, indent=2) + "\n")
    return score_line(evaluation)


def _annotated(
    scoring: Scoring, gold: list[Document], factory: EngineFactory, stop: Callable[[], bool]
) -> list[AnnotatedDocument]:
    configuration = scoring.configuration
    bare = [Document(document.id, document.text) for document in gold]
    split = [Splitting.of(configuration).split(document) for document in bare]
    tally = RunCounts(sum(len(one.sentences) for one in split))
    found: list[AnnotatedDocument] = []

    async def run() -> None:
        async with assembled(configuration, model=scoring.model, engine_factory=factory) as pipeline:
            tally.start()
            with showing(tally, Console(stderr=True)) as on_progress:
                watched = _watching(stop, on_progress)
                await Annotating(pipeline, tally, on_progress=watched).run(iter(split), found.append)

    with warnings.catch_warnings():
        # LangGraph drops tasks it has not begun when it is cancelled; on Ctrl-C that is as it should be.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        asyncio.run(run())
    if tally.failed:
        raise ExternalError(
            f"{tally.failed:,} of {tally.total:,} sentences have no result, so there is no score; the first: "
            f"{tally.first_reason}. The adapter itself is written"
        )
    return found


def _watching(stop: Callable[[], bool], on_progress: Callable[[], None]) -> Callable[[], None]:
    """The progress, which ends the run once ``stop`` says so."""

    def watched() -> None:
        on_progress()
        if stop():
            raise StoppedError

    return watched


def score_line(evaluation: Evaluation) -> str:
    """The strict micro score of an evaluation's first system in one line, with n and the interval of F1."""
    scored, gold = evaluation.systems[0].overall, evaluation.gold
    counts, bounds = scored.counts, scored.intervals.f1
    return (
        f"{gold.name}, {counted(gold.documents, 'document')}, {gold.entities} entities, strict micro: "
        f"P {_shown(counts.precision)} R {_shown(counts.recall)} "
        f"F1 {_shown(counts.f1)} [{_shown(bounds.low)}, {_shown(bounds.high)}] "
        f"(right {counts.tp} of {counts.predicted} predicted)"
    )


def _shown(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")
