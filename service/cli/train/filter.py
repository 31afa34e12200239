"""`medner train filter`: tunes the filter that throws out wrong candidates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medner.core.choices import DEFAULT_LABELS, DEFAULT_MODEL
from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.service.cli.bounds import MOST, MOST_SEED, YEAR_HOURS, finite
from medner.service.cli.exit_codes import ReportedExit
from medner.service.cli.options import with_read_options
from medner.service.cli.reporting import Reporter, say
from medner.store.corpora.reading.read_options import ReadOptions
from medner.store.models import base_model_folder, base_model_name

if TYPE_CHECKING:
    from medner.training.filters.data import FilterData

#: The base of a bert-cls filter that starts from random weights.
NEW = "new"
_DEFAULT_BASES = {"llm-cls": DEFAULT_MODEL, "llm-causal": DEFAULT_MODEL, "bert-cls": NEW}

HELP = """Tune a filter: it gives each candidate a probability that it is right, and drops the improbable ones.

It learns from the gold entities of annotated files and from wrong ones made of them (a boundary shifted by 1 or 2, \
another type). One document in ten is held back: on these the probabilities are calibrated and the threshold is \
chosen. With --predictions (a tagger's answers on the same files, the output of `medner annotate`) it learns the \
tagger's own mistakes too, and the threshold is the one that gives the tagger's output the best F1.

Kinds: llm-cls is a classification layer on the base model; llm-causal asks the base model for yes or no; bert-cls \
is a small encoder of its own.

Stops at the end of the data or of the time, whichever is first. Killed or stopped (Ctrl-C), the same command goes on \
where it was.

Exit code: 0 done; 2 wrong input or option; 3 disk or model failed; 130 stopped.

\b
Examples:
  medner train filter train.json --exclude test.json -o runs/filter
  medner train filter train.json --exclude test.json --predictions said.jsonl --hours 1.5 -o runs/filter
  medner annotate notes/ --filter runs/filter/adapter
"""


def register(train: typer.Typer) -> None:
    """Adds the command to `medner train`."""
    train.command("filter", help=HELP)(train_filter)


@with_read_options
def train_filter(  # noqa: PLR0913, PLR0917  one parameter an option
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Annotated files: CMeEE, CCKS2019 or medner's own JSONL.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Run folder: filter, card, loss curve, checkpoint.")],
    kind: Annotated[str, typer.Option(help="llm-cls, llm-causal or bert-cls.")] = "llm-cls",
    base: Annotated[
        str | None,
        typer.Option(
            help="Base model: a name or a folder; for bert-cls an encoder's folder, or new for a small one from random "
            "weights (the default)."
        ),
    ] = None,
    labels: Annotated[str, typer.Option(help="Label set: a name or a .toml file.")] = DEFAULT_LABELS,
    exclude: Annotated[list[Path] | None, typer.Option(help="A file whose texts must not be trained on.")] = None,
    partial: Annotated[
        list[Path] | None, typer.Option(help="A file whose annotations may lack nested entities.")
    ] = None,
    predictions: Annotated[
        list[Path] | None, typer.Option(help="A tagger's predictions of the annotated files; may be given again.")
    ] = None,
    samples: Annotated[
        int, typer.Option(min=2, max=MOST, help="Right and wrong candidates to make, half of each.")
    ] = 10_000,
    epochs: Annotated[
        float | None,
        typer.Option(
            min=0.001, max=10_000, callback=finite, help="How often to go over the samples (2; 10 for bert-cls)."
        ),
    ] = None,
    hours: Annotated[
        float, typer.Option(min=0.0, max=YEAR_HOURS, callback=finite, help="Time limit; it ends with a usable filter.")
    ] = 1.0,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-9, max=1.0, callback=finite, help="Highest learning rate (4e-4; 3e-5 for a pretrained encoder)."
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(help="Go on from this adapter, for example a tagger's, which knows the types (not bert-cls)."),
    ] = None,
    two_way: Annotated[
        bool | None,
        typer.Option(
            "--two-way/--causal",
            help="Whether the sentence's tokens look both ways (llm-cls); by default where --start is a span tagger's.",
        ),
    ] = None,
    rank: Annotated[int, typer.Option(min=1, max=4_096, help="Rank of the adapter (llm-cls, llm-causal).")] = 16,
    first_layer: Annotated[int, typer.Option(min=0, max=1_000, help="Layers below this one stay as they are.")] = 8,
    data_note: Annotated[str, typer.Option(help="For the card: the terms of the training data.")] = "",
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Seed of samples, weights and order.")] = 7,
    force: Annotated[bool, typer.Option("--force", help="Begin although there seems to be too little memory.")] = False,
    *,
    options: ReadOptions,
) -> None:
    from medner.agents.taggers.spans.settings import SETTINGS
    from medner.core.stop_signal import stop_asked
    from medner.service.cli.train.tagger import shown_command
    from medner.service.train.cards import licence_note
    from medner.training.filters.card import FilterProvenance, write_card
    from medner.training.filters.data import Sources, filter_data
    from medner.training.filters.train import TRAINERS, TrainingCallbacks, TrainingOrder
    from medner.training.loop.settings import TaggerTraining

    if kind not in TRAINERS:
        raise UserError(f"--kind: there is no filter {kind!r}; there are {', '.join(TRAINERS)}")
    chosen = base or _DEFAULT_BASES[kind]
    label_set = load_label_set(labels)
    sources = Sources(tuple(files), tuple(exclude or ()), tuple(predictions or ()), tuple(partial or ()), options)
    settings = TaggerTraining(
        rank=rank,
        alpha=2 * rank,
        first_layer=first_layer,
        learning_rate=learning_rate or (3e-5 if kind == "bert-cls" and chosen != NEW else 4e-4),
        # A step for a few dozen candidates: small data wants many steps.
        batch_tokens=512 if kind == "llm-cls" else 1_024,
        batches_per_step=1 if kind == "llm-cls" else 2,
        epochs=epochs or (10.0 if kind == "bert-cls" else 2.0),
        time_limit_s=hours * 3_600,
        seed=seed,
    )
    if start is not None and kind == "bert-cls":
        raise UserError("--start goes on from an adapter; bert-cls has none")
    if two_way is None:
        # A span tagger's adapter has learnt to look both ways.
        two_way = kind == "llm-cls" and start is not None and (start / SETTINGS).is_file()
    if two_way and kind != "llm-cls":
        raise UserError(f"--two-way is for llm-cls; {kind} reads as its model does")
    order = TrainingOrder(base_folder(chosen), out, label_set, settings, start, force, two_way)
    data = filter_data(sources, label_set, samples=samples, seed=seed)
    _tell(data)
    with stop_asked(lambda: say("stopping after this step; once more (Ctrl-C) stops at once")) as stop:
        trained = TRAINERS[kind](order, data, TrainingCallbacks(Reporter("samples"), stop))
    if trained is None:
        say(f"stopped; the same command goes on from {out}")
        raise typer.Exit(ReportedExit(130))
    made = FilterProvenance(
        kind,
        chosen if order.base is None else base_model_name(order.base),
        label_set.name,
        trained.samples,
        trained.seconds,
        seed,
        shown_command(context),
        licence_note(base_model_name(order.base), data_note) if order.base is not None else data_note,
        first_layer if two_way else None,
    )
    for line in write_card(trained.folder, made, sources, data, trained.calibration):
        say(line)
    typer.echo(f"filter: {trained.folder}")


def base_folder(base: str) -> Path | None:
    """The folder of a base model by name or path; None for an encoder that is to be new."""
    if base == NEW:
        return None
    return base_model_folder(base)


def _tell(data: FilterData) -> None:
    right = sum(one.right for one in data.train)
    held = "predicted entities" if data.held.predicted else "samples"
    say(
        f"{len(data.train)} candidates to learn from ({right} right), {len(data.held.candidates)} {held} held back; "
        f"{data.documents} texts, {data.read - data.documents} more excluded"
        + (f"; {data.unknown} predicted texts have no gold entities" if data.unknown else "")
    )
