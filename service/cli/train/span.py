"""`medner train span`: tunes a tagger that scores spans instead of writing text."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from medner.core.choices import DEFAULT_LABELS
from medner.service.cli.bounds import MOST, finite
from medner.service.cli.read_options import with_read_options
from medner.service.cli.train import shared
from medner.store.corpora.reading.read_options import ReadOptions

HELP = """Train a span tagger: it scores every start, end and type in one pass of the model.

One text in twenty is held back: on these, scores become probabilities and the threshold is chosen.

It stops at the end of the data or of the time, whichever is first. After a kill or Ctrl-C the same command continues \
the run.

The run folder gets: adapter/ with adapter, head, span.json and card.toml, config.json, loss.jsonl and loss.svg, \
state.pt (the checkpoint), held_back.jsonl (the sentences held back, with their gold).

\b
Examples:
  medner train span train.json --exclude test.json -o runs/span --hours 1
  medner train span train.json --partial flat.json --exclude test.json -o runs/span
  medner train span mine.json --start runs/span/adapter --learning-rate 1e-4 -o runs/mine
  medner train span train.json --soft-labels soft.jsonl --layers 8 -o runs/student
  medner annotate notes/ --taggers ./runs/span/adapter

Exit code: 0 done; 1 done, but bad records were skipped; 2 wrong input or option; 3 disk or model failed; 130 stopped.
"""


class ProductsChoice(StrEnum):
    """The formats of products, as the option says them."""

    AUTO = "auto"
    BF16 = "bf16"
    INT8 = "int8"


def register(train: typer.Typer) -> None:
    """Adds the command to the group."""
    train.command("span", help=HELP)(train_span)


@with_read_options
def train_span(  # noqa: PLR0913, PLR0917  one parameter an option
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="Completely annotated files, in any format.")],
    out: shared.RunFolderOption,
    partial: shared.Partial = None,
    most_partial: Annotated[
        int | None, typer.Option(min=0, max=MOST, help="Read at most this many documents of the --partial files.")
    ] = None,
    labels: shared.Labels = DEFAULT_LABELS,
    base: shared.Base = None,
    exclude: shared.Exclude = None,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="ADAPTER",
            help="Begin with the adapter of this span tagger, and with its head if it has the same types.",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, max=10_000, help="Passes over the complete files.")] = 2,
    hours: shared.Hours = None,
    rank: shared.Rank = None,
    learning_rate: shared.LearningRate = None,
    first_layer: shared.FirstLayer = None,
    layers: Annotated[
        int | None,
        typer.Option(min=1, max=1_000, help="Use only the first layers of the base, this many: faster."),
    ] = None,
    partial_epochs: Annotated[
        int,
        typer.Option(min=0, max=10_000, help="Read the --partial files in this many passes, the first ones."),
    ] = 1,
    soft_labels: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Learn from probabilities (a file of medner train soft-labels) instead of the annotation; repeatable.",
        ),
    ] = None,
    fold: Annotated[
        str | None, typer.Option(metavar="N/K", help="Leave out part N (from 0) of K of the texts, by their hash.")
    ] = None,
    split: Annotated[
        bool | None,
        typer.Option(
            "--split-tokens/--whole-tokens",
            help="Read a token character by character if entities of the data end inside it (default), or not.",
        ),
    ] = None,
    batch_tokens: Annotated[
        int, typer.Option(min=1, max=1_048_576, help="Padded tokens in a step, at most; use 4096 on a GPU.")
    ] = 640,
    dropout: Annotated[
        float, typer.Option(min=0.0, max=0.9, callback=finite, help="Dropout of the adapter's inputs.")
    ] = 0.0,
    products: Annotated[
        ProductsChoice,
        typer.Option(
            help="Number format of the frozen layers' products; auto: int8 if the processor computes it exactly."
        ),
    ] = ProductsChoice.AUTO,
    checkpoint_minutes: shared.CheckpointEvery = None,
    name: Annotated[str, typer.Option(help="The tagger's name in results.")] = "span",
    data_note: shared.DataNote = "",
    seed: shared.Seed = 7,
    dry_run: shared.DryRun = False,
    force: shared.Force = False,
    *,
    options: ReadOptions,
) -> None:
    given = locals()
    from medner.service.train.orders import SpanOrder
    from medner.training.spans.build import Fold

    given["fold"] = None if fold is None else Fold.parse(fold)
    shared.carry_out_order(shared.order_of(SpanOrder, given), "adapter")
