"""`medner train judge`: tunes a judge that gives every candidate of a conflict a probability."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medner.core.choices import DEFAULT_LABELS
from medner.service.cli.bounds import finite
from medner.service.cli.options import OldAnswers
from medner.service.cli.read_options import with_old_answers, with_read_options
from medner.service.cli.train import shared
from medner.store.corpora.reading.read_options import ReadOptions

HELP = """Train a judge: it gives each candidate of a conflict a probability.

It learns from gold files with several taggers' answers on them (--answers, the output of `medner annotate`). The \
taggers must not be trained on these texts: train them on one part of your data and annotate the other, then the \
reverse (out-of-fold). It also learns from files with gold and all answers side by side (--side-by-side), and from \
people's decisions (--decisions, from `medner traces export --what decisions`).

Scorers: span scores all candidates in one pass over the sentence, as a span tagger does; classifier makes one pass \
for each candidate. span learns more in the same time.

One text in five is held back: on these the weights of the model's score and of the votes, and the threshold, are \
chosen.

It stops at the end of the data or of the time, whichever is first. After a kill or Ctrl-C the same command continues \
the run.

\b
Examples:
  medner annotate part-b.json --format cmeee -o answers.jsonl     # by taggers trained on part-a.json
  medner train judge part-b.json --answers answers.jsonl --exclude test.json -o runs/judge
  medner annotate notes/ --judge trained:runs/judge/adapter

Exit code: 0 done; 1 done, but bad records were skipped; 2 wrong input or option; 3 disk or model failed; 130 stopped.
"""


def register(train: typer.Typer) -> None:
    """Adds the command to `medner train`."""
    train.command("judge", help=HELP)(train_judge)


@with_read_options
def train_judge(  # noqa: PLR0913, PLR0917  one parameter an option
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[GOLD]...", help="Gold files of the texts in --answers.")
    ] = None,
    out: shared.RunFolderOption = Path("runs/judge"),
    answers: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Several taggers' answers on the gold texts; repeatable.")
    ] = None,
    said: OldAnswers = None,
    side_by_side: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="JSON lines with text, gold and each system's answers; repeatable."),
    ] = None,
    decisions: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="People's decisions on conflicts; repeatable.")
    ] = None,
    exclude: shared.Exclude = None,
    base: shared.Base = None,
    labels: shared.Labels = DEFAULT_LABELS,
    start: Annotated[
        Path | None,
        typer.Option(metavar="ADAPTER", help="Begin with this adapter of a filter or a tagger, which knows the types."),
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(metavar="span|classifier", help="Default: span if --start is a span tagger, else classifier."),
    ] = None,
    two_way: Annotated[
        bool | None,
        typer.Option(
            "--two-way/--causal", help="Let the tokens before a candidate look both ways, or only back (classifier)."
        ),
    ] = None,
    epochs: Annotated[
        float, typer.Option(min=0.001, max=10_000, callback=finite, help="Passes over the conflicts.")
    ] = 2.0,
    hours: shared.Hours = None,
    learning_rate: shared.LearningRate = None,
    batch_tokens: Annotated[int, typer.Option(min=64, max=1_048_576, help="Tokens in a step.")] = 512,
    rank: shared.Rank = None,
    first_layer: shared.FirstLayer = None,
    checkpoint_minutes: shared.CheckpointEvery = None,
    seed: shared.Seed = 7,
    data_note: shared.DataNote = "",
    dry_run: shared.DryRun = False,
    force: shared.Force = False,
    *,
    options: ReadOptions,
) -> None:
    given = locals()
    given["answers"] = with_old_answers(answers, given.pop("said"))
    from medner.service.train.orders import JudgeOrder

    shared.carry_out_order(shared.order_of(JudgeOrder, given), "judge")
