"""`medner train tagger`: tunes a tagger that writes entities as text."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from medner.core.choices import DEFAULT_LABELS
from medner.service.cli.bounds import MOST_SEED, finite
from medner.service.cli.read_options import with_read_options
from medner.service.cli.train import shared
from medner.store.corpora.reading.read_options import ReadOptions

HELP = """Train a tagger: a LoRA adapter that writes a sentence's entities in one of the strategies.

It stops at the end of the data or of the time, whichever is first. After a kill or Ctrl-C the same command continues \
the run. Settings that you do not give come from --recipe, else they are the defaults for a 0.5B base on a processor.

\b
Examples:
  medner train tagger train.json --evaluate test.json -o runs/symbol --hours 2.5
  medner train tagger train.json --strategy json --seed 8 -o runs/json --dry-run
  medner train tagger train.json --recipe qwen2.5-7b-instruct -o runs/qwen7b

The run folder gets: adapter/ with its card.toml, config.json, loss.jsonl and loss.svg, evaluation.json and \
predictions.jsonl (with --evaluate), state.pt (the checkpoint).

Exit code: 0 done; 1 done, but bad records were skipped; 2 wrong input or option, or too little memory; 3 disk or \
model failed; 130 stopped, with a usable adapter.
"""


def register(train: typer.Typer) -> None:
    """Adds the command to the group."""
    train.command("tagger", help=HELP)(tagger)


class Quantise(StrEnum):
    """How the base model's weights are kept while the adapter learns."""

    AUTO = "auto"
    NF4 = "nf4"
    NONE = "none"


@with_read_options
def tagger(  # noqa: PLR0913, PLR0917  one parameter an option
    context: typer.Context,
    files: shared.AnnotatedFiles,
    out: shared.RunFolderOption,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="Settings for a base model: a name (medner train recipes) or a .toml file."
        ),
    ] = None,
    strategy: Annotated[str, typer.Option(help="symbol, json, html or index.")] = "symbol",
    style: Annotated[str, typer.Option(help="Wording of the prompt: brief, full or plain.")] = "brief",
    labels: shared.Labels = DEFAULT_LABELS,
    base: shared.Base = None,
    exclude: shared.Exclude = None,
    evaluate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Score the adapter at the end on this file; its texts are not trained on."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option(metavar="ADAPTER", help="Begin with this adapter instead of a new one.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The tagger's name; by default its strategy.")] = None,
    data_note: shared.DataNote = "",
    epochs: Annotated[
        float | None, typer.Option(min=0.001, max=10_000, callback=finite, help="Passes over the data (1).")
    ] = None,
    hours: shared.Hours = None,
    rank: shared.Rank = None,
    alpha: Annotated[int | None, typer.Option(min=1, max=65_536, help="Scale of the adapter (twice the rank).")] = None,
    learning_rate: shared.LearningRate = None,
    first_layer: shared.FirstLayer = None,
    batch_tokens: shared.BatchTokens = None,
    batch_examples: Annotated[int | None, typer.Option(min=1, max=65_536, help="Examples in a batch, at most.")] = None,
    batches_per_step: Annotated[
        int | None, typer.Option(min=1, max=65_536, help="Batches in an optimiser step (2).")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, max=1_048_576, help="Leave out longer examples (448).")
    ] = None,
    quantise: Annotated[
        Quantise | None,
        typer.Option(help="Weights of the base model: nf4 (four bits), none (bf16), auto (nf4 on a GPU only)."),
    ] = None,
    recompute: Annotated[
        bool | None,
        typer.Option(
            "--recompute/--no-recompute",
            help="Compute layers again in the backward pass: less memory, a third more time.",
        ),
    ] = None,
    checkpoint_minutes: shared.CheckpointEvery = None,
    seed: Annotated[int | None, typer.Option(min=0, max=MOST_SEED, help="Seed of weights and order (7).")] = None,
    dry_run: shared.DryRun = False,
    force: shared.Force = False,
    *,
    options: ReadOptions,
) -> None:
    given = locals()
    from medner.service.train.orders import TaggerOrder
    from medner.training.recipes import load_recipe

    given["recipe"] = None if recipe is None else load_recipe(recipe)
    # Tests hand in an engine that needs no model.
    shared.carry_out_order(shared.order_of(TaggerOrder, given), "adapter", engine_factory=context.obj)
