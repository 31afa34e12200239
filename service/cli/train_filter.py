"""`medner train filter`: tunes the filter that throws out wrong candidates."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medner.store.errors import UserError
from medner.store.labels import load_label_set
from medner.store.models import ModelStore

if TYPE_CHECKING:
    from medner.training.filters.data import FilterData
    from medner.training.filters.loop import Progress

_MODEL = "qwen2.5-coder-0.5b-instruct"
_DEFAULT_BASES = {"llm-cls": _MODEL, "llm-causal": _MODEL, "bert-cls": "new"}

HELP = """Tune a filter: it gives each candidate a probability that it is right, and drops the improbable ones.

It learns from the gold entities of annotated files and from wrong ones made of them (a boundary shifted by 1 or 2, \
another type). One document in ten is held back: on these the probabilities are calibrated and the threshold is \
chosen. With --predictions (what a tagger said about the same files, as `medner annotate` writes it) it learns the \
tagger's own mistakes too, and the threshold is the one that gives the tagger's output the best F1.

Kinds: llm-cls is a classification layer on the base model; llm-causal asks the base model for yes or no; bert-cls \
is a small encoder of its own.

Stops at the end of the data or of the time, whichever is first. The same command goes on where a killed run left off.

\b
Examples:
  medner train filter train.json --exclude test.json -o runs/filter
  medner train filter train.json --exclude test.json --predictions said.jsonl --hours 1.5 -o runs/filter
  medner annotate notes/ --filter runs/filter/adapter
"""


def register(train: typer.Typer) -> None:
    """Adds the command to `medner train`."""
    train.command("filter", help=HELP)(train_filter)


def train_filter(  # noqa: PLR0913, PLR0917  one parameter an option
    files: Annotated[list[Path], typer.Argument(help="Annotated files: CMeEE, CCKS2019 or medner's own JSONL.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Run folder: filter, card, loss curve, checkpoint.")],
    kind: Annotated[str, typer.Option(help="llm-cls, llm-causal or bert-cls.")] = "llm-cls",
    base: Annotated[str | None, typer.Option(help="Base model: a name or a folder.")] = None,
    labels: Annotated[str, typer.Option(help="Label set: a name or a .toml file.")] = "cmeee-v2",
    exclude: Annotated[list[Path] | None, typer.Option(help="A file whose texts must not be trained on.")] = None,
    predictions: Annotated[
        list[Path] | None, typer.Option(help="A tagger's predictions of the annotated files; may be given again.")
    ] = None,
    samples: Annotated[int, typer.Option(min=2, help="Right and wrong candidates to make, half of each.")] = 10_000,
    epochs: Annotated[float, typer.Option(min=0.001, help="How often to go over the samples.")] = 2.0,
    hours: Annotated[float, typer.Option(min=0.0, help="Time limit; it ends with a usable filter.")] = 1.0,
    learning_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 4e-4,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the adapter (llm-cls, llm-causal).")] = 16,
    first_layer: Annotated[int, typer.Option(min=0, help="Layers below this one stay as they are.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of samples, weights and order.")] = 7,
) -> None:
    from medner.training.build import card_text
    from medner.training.filters.card import Made, card_fields, score_lines
    from medner.training.filters.data import Sources, filter_data
    from medner.training.filters.train import TRAINERS, Order
    from medner.training.settings import TaggerTraining

    if kind not in TRAINERS:
        raise UserError(f"--kind: there is no filter {kind!r}; there are {', '.join(TRAINERS)}")
    chosen = base or _DEFAULT_BASES[kind]
    label_set = load_label_set(labels)
    folder = Path(chosen) if Path(chosen).is_dir() else ModelStore().path(chosen)
    sources = Sources(tuple(files), tuple(exclude or ()), tuple(predictions or ()))
    data = filter_data(sources, label_set, samples=samples, seed=seed)
    _tell(data)
    settings = TaggerTraining(
        rank=rank,
        alpha=2 * rank,
        first_layer=first_layer,
        learning_rate=learning_rate,
        epochs=epochs,
        time_limit_s=hours * 3_600,
        seed=seed,
    )
    trained = TRAINERS[kind](Order(folder, out, label_set, settings), data, _Reporter())
    made = Made(kind, Path(chosen).name, labels, trained.samples, trained.seconds, seed)
    card = card_text(card_fields(made, sources, data, trained.calibration))
    (trained.folder / "card.toml").write_text(card, encoding="utf-8")
    for line in score_lines(data, trained.calibration):
        typer.echo(line, err=True)
    typer.echo(f"filter: {trained.folder}")


_DEFAULT_BASES = {
    "llm-cls": "qwen2.5-coder-0.5b-instruct",
    "llm-causal": "qwen2.5-coder-0.5b-instruct",
    "bert-cls": "new",
}


def _tell(data: FilterData) -> None:
    right = sum(one.right for one in data.train)
    held = "predicted entities" if data.held.predicted else "samples"
    typer.echo(
        f"{len(data.train)} candidates to learn from ({right} right), {len(data.held.candidates)} {held} held back; "
        f"{data.documents} texts, {data.read - data.documents} more excluded"
        + (f"; {data.unknown} predicted texts have no gold entities" if data.unknown else ""),
        err=True,
    )


class _Reporter:
    """Says every half a minute where the run is."""

    def __init__(self) -> None:
        self._last = 0.0
        self._loss: float | None = None

    def __call__(self, step: Progress) -> None:
        self._loss = step.loss if self._loss is None else 0.9 * self._loss + 0.1 * step.loss
        if time.monotonic() - self._last < 30 and step.share < 1.0:
            return
        self._last = time.monotonic()
        left = step.seconds / max(step.share, 1e-9) * (1 - step.share)
        typer.echo(
            f"{step.share:.0%}, loss {self._loss:.4f}, {step.samples / max(step.seconds, 1e-9):.1f} samples/s, "
            f"{left / 60:.0f} min left",
            err=True,
        )
