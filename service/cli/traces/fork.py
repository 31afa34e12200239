"""`medner traces fork` and `diff`: the same conflicts before another judge."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from medner.service.cli.bounds import MOST, MOST_DAYS, MOST_SEED
from medner.service.cli.read_options import with_read_options
from medner.service.cli.remote.options import Remote, with_server
from medner.service.cli.reporting import print_json, say
from medner.service.cli.trace_options import Json, Place, RunName, opened, server_traces
from medner.store.corpora.reading.read_options import ReadOptions

if TYPE_CHECKING:
    from medner.core.labels import LabelSet
    from medner.core.records import Document
    from medner.service.cli.trace_options import TracesThere
    from medner.service.traces.differences import RunDifferences
    from medner.store.traces import RunRecord


def register(traces: typer.Typer) -> None:
    """Adds the commands to `medner traces`."""
    traces.command()(fork)
    traces.command()(diff)


@with_server
def fork(  # noqa: PLR0913  one parameter an option
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN[/SENTENCE]", help="A run, or one sentence of it.")],
    *,
    judge: Annotated[str, typer.Option("--judge", metavar="JUDGE", help="The other judge, as for annotate.")],
    sample: Annotated[
        int | None,
        typer.Option("--sample", metavar="N", min=1, max=MOST, help="Take only N of the sentences, drawn by the seed."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=MOST_SEED, help="Seed of the sample.")] = 0,
    traces: Place = None,
    remote: Remote,
    keep_days: Annotated[
        int | None,
        typer.Option("--keep-days", metavar="N", min=0, max=MOST_DAYS, help="Remove the fork after this many days."),
    ] = None,
) -> None:
    """Decide the conflicts of a run again with another judge. No tagger runs.

    The fork is a new run; the command prints its name. `medner traces diff RUN FORK` shows the changes.

    Example: medner traces fork last --judge hard-vote

    Exit code: 0 done; 2 wrong run or judge; 3 the traces or the judge's model failed.
    """
    from medner.core.errors import UserError
    from medner.service.build.trace_recording import TraceOrder, recording, run_record
    from medner.service.config.judges import read_judge
    from medner.service.traces.forking import Forking, chosen_traces, configuration_of, fork_deps, with_judge
    from medner.service.traces.naming import run_named, trace_named
    from medner.store.traces import TracePolicy

    if remote:
        source_run, made, decided = _fork_on_server(traces, remote, run, judge, (sample, seed, keep_days))
        say(f"{decided:,} sentences settled again; medner traces diff {source_run} {made}")
        typer.echo(made)
        return
    with opened(traces) as backend:
        name, slash, _ = run.partition("/")
        source = run_named(backend, name)
        chosen = chosen_traces(backend, source, sample=sample, seed=seed)
        if slash:
            wanted = trace_named(backend, run)[1].sentence_id
            chosen = [one for one in chosen if one.sentence_id == wanted]
        if not chosen:
            raise UserError(f"{run}: no trace with a conflict is there, so there is nothing to settle again")
        configuration = with_judge(configuration_of(source), read_judge(judge))
        order = TraceOrder(TracePolicy.CONFLICTS, backend.place if traces is None else traces, keep_days)
        record = run_record(configuration, order, kind="fork", parent=source.run)
        record = record.model_copy(update={"labels": source.labels})

        async def go() -> int:
            async with fork_deps(source, configuration, engine_factory=context.obj) as deps:
                assert recorded is not None  # noqa: S101  the policy is not none
                forking = Forking(backend, source, recorded.tracer, deps, configuration.concurrency)
                return await forking.run(chosen)

        with recording(order, record) as recorded:
            number = asyncio.run(go())
    say(f"{number:,} sentences settled again; medner traces diff {source.run} {record.run}")
    typer.echo(record.run)


def _fork_on_server(
    place: str | None, remote: Remote, name: str, judge: str, options: tuple[int | None, int, int | None]
) -> tuple[str, str, int]:
    """The run, its fork, and how many sentences were settled again."""
    from medner.service.client import traces
    from medner.service.traces.naming import run_named, trace_named

    sample, seed, keep_days = options
    run_name, slash, _ = name.partition("/")
    with server_traces(place, remote) as found:
        source = run_named(found, run_name)
        wanted = [trace_named(found, name)[1].sentence_id] if slash else None
        made = found.connection.run(
            traces.fork(source.run, judge, sentences=wanted, sample=sample, seed=seed, keep_days=keep_days)
        )
        return source.run, made.run, made.decided


@with_read_options
@with_server
def diff(  # noqa: PLR0913  one parameter an option
    a: RunName,
    b: Annotated[str, typer.Argument(metavar="RUN", help="The other run, usually a fork of the first.")],
    *,
    gold: Annotated[
        Path | None, typer.Option("--gold", metavar="FILE", help="Gold entities: also compare the F1 of both runs.")
    ] = None,
    show: Annotated[
        int, typer.Option("--show", metavar="N", min=0, max=MOST, help="How many changed sentences to show.")
    ] = 10,
    options: ReadOptions,
    seed: Annotated[int, typer.Option("--seed", min=0, max=MOST_SEED, help="Seed of the resampling.")] = 0,
    resamples: Annotated[
        int, typer.Option("--resamples", min=100, max=1_000_000, help="Draws for the interval.")
    ] = 2_000,
    traces: Place = None,
    remote: Remote,
    as_json: Json = False,
) -> None:
    """Compare two runs over the same sentences, usually a run and its fork.

    With --gold it also prints the F1 of both, and the difference with its interval (paired bootstrap).

    Example: medner traces diff last fork-20260131 --gold gold.jsonl

    Exit code: 0 done; 1 done, but bad records were skipped; 2 wrong run or gold file; 3 the traces cannot be read.
    """
    from medner.service.traces.wording import difference_lines, score_lines

    scoring = None if gold is None else Scoring(gold, options, seed, resamples)
    if remote:
        left, right, differences, scored = _compared_on_server((traces, remote), (a, b), scoring, show)
    else:
        left, right, differences, scored = _compared(traces, (a, b), scoring)
    if as_json:
        print_json({**differences.as_data(), "score": scored})
        return
    for line in difference_lines(left, right, differences, show=show):
        typer.echo(line)
    for line in score_lines(scored):
        typer.echo(line)


@dataclass(frozen=True, slots=True)
class Scoring:
    """The right entities by which two runs are scored, and how."""

    gold: Path
    options: ReadOptions
    seed: int
    resamples: int

    def documents(self, run: RunRecord, labels: LabelSet | None = None) -> list[Document]:
        """The documents of the file, their types those of a run's label set."""
        from medner.core.labels import load_label_set
        from medner.store.corpora import read_documents

        known = labels or load_label_set(str(run.configuration.get("labels", run.labels.name)))
        return list(read_documents(self.gold, labels=known, options=self.options))


Compared: TypeAlias = "tuple[RunRecord, RunRecord, RunDifferences, dict[str, Any] | None]"


def _compared(place: str | None, names: tuple[str, str], scoring: Scoring | None) -> Compared:
    from medner.service.traces.differences import compared
    from medner.service.traces.scoring import scored

    with opened(place) as backend:
        left, right = _two_runs(backend, names)
        sides = compared(backend, left.run, right.run)
    if scoring is None:
        return left, right, sides.differences, None
    found = scored(scoring.documents(left), sides, seed=scoring.seed, resamples=scoring.resamples)
    return left, right, sides.differences, found


def _compared_on_server(
    where: tuple[str | None, Remote], names: tuple[str, str], scoring: Scoring | None, show: int
) -> Compared:
    from medner.service.cli.remote.traces import difference_of, gold_body, score_of
    from medner.service.client import traces

    with server_traces(*where) as found:
        left, right = _two_runs(found, names)
        gold = None
        if scoring is not None:
            documents = scoring.documents(left, left.labels.label_set())
            gold = gold_body(documents, seed=scoring.seed, resamples=scoring.resamples)
        message = found.connection.run(traces.diff(left.run, right.run, show=show, gold=gold))
    return left, right, difference_of(message), score_of(message)


def _two_runs(backend: TracesThere, names: tuple[str, str]) -> tuple[RunRecord, RunRecord]:
    from medner.core.errors import UserError
    from medner.service.traces.naming import run_named

    left, right = (run_named(backend, name) for name in names)
    if left.run == right.run:
        raise UserError(
            f"{names[0]} and {names[1]} are the same run, {left.run}; name the run and its fork (medner traces list)"
        )
    return left, right
