"""`medner train tagger`: tunes a tagger that writes entities as text."""

from __future__ import annotations

import shlex
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from medner.core.choices import DEFAULT_LABELS
from medner.service.cli.bounds import MOST_SEED, YEAR_HOURS, finite
from medner.service.cli.exit_codes import ReportedExit
from medner.service.cli.options import with_read_options
from medner.store.corpora.reading.read_options import ReadOptions

HELP = """Tune a tagger: a LoRA adapter that writes a sentence's entities in one of the strategies.

Stops at the end of the data or of the time, whichever is first. Killed or stopped (Ctrl-C), the same command goes on \
where it was. Settings that are not given come from --recipe, else they are the defaults for a 0.5B base on a CPU.

\b
Examples:
  medner train tagger train.json --evaluate test.json -o runs/symbol --hours 2.5
  medner train tagger train.json --strategy json --seed 8 -o runs/json --dry-run
  medner train tagger train.json --recipe qwen2.5-7b-instruct -o runs/qwen7b

The run folder gets: adapter/ with its card.toml, config.json, loss.jsonl and loss.svg, evaluation.json and \
predictions.jsonl (with --evaluate), state.pt (the checkpoint).

Exit code: 0 done; 2 wrong input or option, too little memory; 3 disk or model failed; 130 stopped, the adapter so far \
is usable.
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
    files: Annotated[list[Path], typer.Argument(help="Annotated files: CMeEE, CCKS2019 or medner's own JSONL.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Run folder: adapter, card, loss curve, checkpoint.")],
    recipe: Annotated[
        str | None, typer.Option(help="Settings for a base model: a name (medner train recipes) or a .toml file.")
    ] = None,
    strategy: Annotated[str, typer.Option(help="symbol, json, html or index.")] = "symbol",
    style: Annotated[str, typer.Option(help="Wording of the prompt: brief, full or plain.")] = "brief",
    labels: Annotated[str, typer.Option(help="Label set: a name or a .toml file.")] = DEFAULT_LABELS,
    base: Annotated[
        str | None, typer.Option(help="Base model: a name or a folder; by default qwen2.5-coder-0.5b-instruct.")
    ] = None,
    exclude: Annotated[list[Path] | None, typer.Option(help="A file whose texts must not be trained on.")] = None,
    evaluate: Annotated[
        Path | None, typer.Option(help="A held-out file to score the adapter on at the end; its texts are excluded.")
    ] = None,
    start: Annotated[Path | None, typer.Option(help="Go on from this adapter instead of a fresh one.")] = None,
    name: Annotated[str | None, typer.Option(help="The tagger's name; by default its strategy.")] = None,
    data_note: Annotated[str, typer.Option(help="For the card: the terms of the training data.")] = "",
    epochs: Annotated[
        float | None, typer.Option(min=0.001, max=10_000, callback=finite, help="How often to go over the data (1).")
    ] = None,
    hours: Annotated[
        float | None,
        typer.Option(min=0.001, max=YEAR_HOURS, callback=finite, help="Time limit (1); it ends with a usable adapter."),
    ] = None,
    rank: Annotated[int | None, typer.Option(min=1, max=4_096, help="Rank of the adapter (16).")] = None,
    alpha: Annotated[int | None, typer.Option(min=1, max=65_536, help="Scale of the adapter (twice the rank).")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=1e-9, max=1.0, callback=finite, help="Highest learning rate (4e-4).")
    ] = None,
    first_layer: Annotated[
        int | None, typer.Option(min=0, max=1_000, help="Layers below this one stay as they are (8).")
    ] = None,
    batch_tokens: Annotated[
        int | None,
        typer.Option(min=1, max=1_048_576, help="Padded tokens in a batch, at most (1024); longer examples go alone."),
    ] = None,
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
        typer.Option("--recompute/--no-recompute", help="Less memory for a third more time."),
    ] = None,
    checkpoint_every: Annotated[
        float | None,
        typer.Option(
            "--checkpoint-every",
            metavar="MINUTES",
            min=0.0,
            max=60 * YEAR_HOURS,
            callback=finite,
            help="Minutes between (10).",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=MOST_SEED, help="Seed of weights and order (7).")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say batches, memory and hours after one measured step, then stop.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Begin although there seems to be too little memory.")] = False,
    *,
    options: ReadOptions,
) -> None:
    from medner.service.train.tagger import TaggerOrder, train_tagger
    from medner.training.recipes import load_recipe

    given = {
        "rank": rank,
        "alpha": alpha,
        "learning_rate": learning_rate,
        "first_layer": first_layer,
        "batch_tokens": batch_tokens,
        "batch_examples": batch_examples,
        "batches_per_step": batches_per_step,
        "max_tokens": max_tokens,
        "quantise": None if quantise is None else quantise.value,
        "recompute": recompute,
        "epochs": epochs,
        "hours": hours,
        "checkpoint_minutes": checkpoint_every,
        "seed": seed,
    }
    order = TaggerOrder(
        files=tuple(files),
        out=out,
        strategy=strategy,
        style=style,
        labels=labels,
        base=base,
        recipe=None if recipe is None else load_recipe(recipe),
        given=given,
        exclude=tuple(exclude or ()),
        evaluate=evaluate,
        start=start,
        name=name,
        data_note=data_note,
        command=shown_command(context),
        options=options,
        force=force,
        dry_run=dry_run,
    )
    # Tests hand in an engine that needs no model.
    raise typer.Exit(
        ReportedExit(train_tagger(order, lambda line: typer.echo(line, err=True), engine_factory=context.obj))
    )


def shown_command(context: typer.Context) -> str:
    """The command as it was given, files and folders by their last name alone."""
    words = ["medner", "train", str(context.info_name)]
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[str(parameter.name)]
        values = value if isinstance(value, (list, tuple)) else [value]
        for one in values:
            words += _words(parameter, one)
    return shlex.join(words)


def _words(parameter: Any, value: Any) -> list[str]:
    plain = value.value if isinstance(value, Enum) else value
    shown = Path(plain).name if isinstance(plain, Path) or (isinstance(plain, str) and _is_place(plain)) else str(plain)
    if parameter.param_type_name == "argument":
        return [shown]
    if isinstance(plain, bool):
        return [parameter.opts[0] if plain else parameter.secondary_opts[0]]
    return [parameter.opts[-1], shown]


def _is_place(text: str) -> bool:
    return " " not in text and ("/" in text or "\\" in text)
