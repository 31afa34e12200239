"""`medner train filter`: tunes the filter that throws out wrong candidates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medner.core.choices import DEFAULT_LABELS
from medner.service.cli.bounds import MOST, finite
from medner.service.cli.read_options import with_read_options
from medner.service.cli.train import shared
from medner.store.corpora.reading.read_options import ReadOptions

HELP = """Train a filter: it gives each candidate a probability that it is right, and drops the improbable ones.

It learns from the gold entities of annotated files and from wrong ones made of them (a boundary shifted by 1 or 2, \
another type). With --predictions (a tagger's answers on the same files, the output of `medner annotate`) it learns \
the tagger's own mistakes too. One document in ten is held back: on these the probabilities are calibrated, and the \
threshold with the best F1 is chosen.

Kinds: llm-cls is a classification layer on the base model; llm-causal asks the base model for yes or no; bert-cls \
is a small separate encoder.

It stops at the end of the data or of the time, whichever is first. After a kill or Ctrl-C the same command continues \
the run.

\b
Examples:
  medner train filter train.json --exclude test.json -o runs/filter
  medner train filter train.json --exclude test.json --predictions answers.jsonl --hours 1.5 -o runs/filter
  medner annotate notes/ --filter runs/filter/adapter

Exit code: 0 done; 1 done, but bad records were skipped; 2 wrong input or option; 3 disk or model failed; 130 stopped.
"""


def register(train: typer.Typer) -> None:
    """Adds the command to `medner train`."""
    train.command("filter", help=HELP)(train_filter)


@with_read_options
def train_filter(  # noqa: PLR0913, PLR0917  one parameter an option
    context: typer.Context,
    files: shared.AnnotatedFiles,
    out: shared.RunFolderOption,
    kind: Annotated[str, typer.Option(help="llm-cls, llm-causal or bert-cls.")] = "llm-cls",
    base: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FOLDER",
            help="Base model. Default: qwen2.5-coder-0.5b-instruct. For bert-cls an encoder's folder, or new (the "
            "default): a small one from random weights.",
        ),
    ] = None,
    labels: shared.Labels = DEFAULT_LABELS,
    exclude: shared.Exclude = None,
    partial: shared.Partial = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A tagger's answers on the annotated files (annotate -o); repeatable."),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=2, max=MOST, help="How many candidates to make, half of them right.")
    ] = 10_000,
    epochs: Annotated[
        float | None,
        typer.Option(min=0.001, max=10_000, callback=finite, help="Passes over the samples (2; 10 for bert-cls)."),
    ] = None,
    hours: shared.Hours = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-9, max=1.0, callback=finite, help="Highest learning rate (4e-4; 3e-5 for a pretrained encoder)."
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="ADAPTER",
            help="Begin with this adapter, for example a tagger's, which knows the types (not bert-cls).",
        ),
    ] = None,
    two_way: Annotated[
        bool | None,
        typer.Option(
            "--two-way/--causal",
            help="Let the sentence's tokens look both ways, or only back (llm-cls). Default: both ways if --start is a "
            "span tagger.",
        ),
    ] = None,
    rank: shared.Rank = None,
    first_layer: shared.FirstLayer = None,
    batch_tokens: shared.BatchTokens = None,
    checkpoint_minutes: shared.CheckpointEvery = None,
    data_note: shared.DataNote = "",
    seed: shared.Seed = 7,
    dry_run: shared.DryRun = False,
    force: shared.Force = False,
    *,
    options: ReadOptions,
) -> None:
    given = locals()
    from medner.service.train.orders import FilterOrder

    shared.carry_out_order(shared.order_of(FilterOrder, given), "filter")
