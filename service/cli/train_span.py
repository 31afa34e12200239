"""`medner train span`: tunes a tagger that scores spans instead of writing text."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from medner.service.cli.bounds import MOST, MOST_SEED, YEAR_HOURS, finite
from medner.service.cli.ending import Told
from medner.service.cli.options import with_read_options
from medner.service.cli.reporting import Reporter, say
from medner.service.cli.train_tagger import shown_command
from medner.store.corpora.read_options import ReadOptions

HELP = """Tune a span tagger: it scores every start, end and type in one pass of the model.

One text in twenty is held back to choose its threshold and to make probabilities of its scores. Stops at the end of \
the data or of the time, whichever is first. Killed or stopped (Ctrl-C), the same command goes on where it was.

The run folder gets: adapter/ with adapter, head, span.json and card.toml, config.json, loss.jsonl and loss.svg, \
state.pt (the checkpoint), held_back.jsonl (the sentences held back, with their gold).

Exit code: 0 done; 2 wrong input or option; 3 disk or model failed; 130 stopped.

\b
Examples:
  medner train span train.json --exclude test.json -o runs/span --hours 1
  medner train span train.json --partial flat.json --exclude test.json -o runs/span
  medner train span mine.json --start runs/span/adapter --learning-rate 1e-4 -o runs/mine
  medner train span train.json --soft-labels soft.jsonl --layers 8 -o runs/student
  medner annotate notes/ --taggers ./runs/span/adapter
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
    files: Annotated[list[Path], typer.Argument(help="Completely annotated files: CMeEE, CCKS2019 or JSONL.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Run folder: adapter, card, loss curve, checkpoint.")],
    partial: Annotated[
        list[Path] | None, typer.Option(help="A file whose annotations may lack nested entities.")
    ] = None,
    most_partial: Annotated[
        int | None, typer.Option(min=0, max=MOST, help="At most so many documents of those.")
    ] = None,
    labels: Annotated[str, typer.Option(help="Label set: a name or a .toml file.")] = "cmeee-v2",
    base: Annotated[str, typer.Option(help="Base model: a name or a folder.")] = "qwen2.5-coder-0.5b-instruct",
    exclude: Annotated[list[Path] | None, typer.Option(help="A file whose texts must not be trained on.")] = None,
    start: Annotated[
        Path | None, typer.Option(help="Go on from this span tagger's folder: its adapter and its head.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, max=10_000, help="How often to go over the complete files.")] = 2,
    hours: Annotated[
        float, typer.Option(min=0.0, max=YEAR_HOURS, callback=finite, help="Time limit; it ends with a usable tagger.")
    ] = 1.0,
    rank: Annotated[int, typer.Option(min=1, max=4_096, help="Rank of the adapter.")] = 16,
    learning_rate: Annotated[
        float, typer.Option(min=1e-9, max=1.0, callback=finite, help="Highest learning rate of the adapter.")
    ] = 4e-4,
    first_layer: Annotated[int, typer.Option(min=0, max=1_000, help="Layers below this one stay as they are.")] = 8,
    layers: Annotated[
        int | None,
        typer.Option(min=1, max=1_000, help="Take only this many of the base's layers, from the first on: faster."),
    ] = None,
    partial_epochs: Annotated[
        int,
        typer.Option(min=0, max=10_000, help="How many of the passes read the --partial files too: the first ones."),
    ] = 1,
    soft_labels: Annotated[
        list[Path] | None,
        typer.Option(help="Probabilities that `medner train soft-labels` wrote, learnt in place of the annotation."),
    ] = None,
    fold: Annotated[
        str | None, typer.Option(metavar="N/K", help="Leave out part N (from 0) of K of the texts, by their hash.")
    ] = None,
    split: Annotated[
        bool,
        typer.Option(
            "--split-tokens/--whole-tokens",
            help="Read tokens that entities of the data begin or end in character by character.",
        ),
    ] = True,
    batch_tokens: Annotated[
        int, typer.Option(min=1, max=1_048_576, help="Padded tokens in a step, at most; on a GPU take 4096.")
    ] = 640,
    dropout: Annotated[
        float, typer.Option(min=0.0, max=0.9, callback=finite, help="Share of the adapter's inputs left out.")
    ] = 0.0,
    products: Annotated[
        ProductsChoice, typer.Option(help="Format of the frozen layers' products; auto is int8 where it is exact.")
    ] = ProductsChoice.AUTO,
    name: Annotated[str, typer.Option(help="The tagger's name in results.")] = "span",
    data_note: Annotated[str, typer.Option(help="For the card: the terms of the training data.")] = "",
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Seed of weights and order.")] = 7,
    force: Annotated[bool, typer.Option("--force", help="Begin although there seems to be too little memory.")] = False,
    *,
    options: ReadOptions,
) -> None:
    from medner.service.span_training import SpanOrder, train_span_tagger
    from medner.service.stopping import stop_asked
    from medner.training.adapted import products_format
    from medner.training.spans.build import Fold

    order = SpanOrder(
        files=tuple(files),
        out=out,
        partial=tuple(partial or ()),
        most_partial=most_partial,
        labels=labels,
        base=base,
        exclude=tuple(exclude or ()),
        start=start,
        soft_labels=tuple(soft_labels or ()),
        fold=None if fold is None else Fold.parse(fold),
        split=split,
        settings={
            "rank": rank,
            "alpha": 2 * rank,
            "first_layer": first_layer,
            "layers": layers,
            "products": products_format(products),
            "learning_rate": learning_rate,
            "epochs": float(epochs),
            "partial_epochs": partial_epochs,
            "batch_tokens": batch_tokens,
            "dropout": dropout,
            "time_limit_s": hours * 3_600,
            "seed": seed,
        },
        name=name,
        data_note=data_note,
        command=shown_command(context),
        options=options,
        force=force,
    )
    with stop_asked(lambda: say("stopping after this step; once more (Ctrl-C) stops at once")) as stop:
        ended = train_span_tagger(order, say, on_step=Reporter("sentences"), stop=stop)
    if not ended:
        say(f"stopped; the same command goes on from {out}")
        raise typer.Exit(Told(130))
    typer.echo(f"adapter: {out / 'adapter'}")
