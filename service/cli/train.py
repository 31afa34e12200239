"""`medner train`: tunes the models that medner runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medner.store.errors import UserError
from medner.store.labels import load_label_set
from medner.store.models import ModelStore

if TYPE_CHECKING:
    from medner.training.tagger import Step

train = typer.Typer(
    help="Tune the models that medner runs, on this machine.", no_args_is_help=True, rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Adds the group to the command tree."""
    app.add_typer(train, name="train")


@train.callback()
def _group() -> None:
    """Tune the models that medner runs, on this machine."""


@train.command("tagger")
def train_tagger(  # noqa: PLR0913, PLR0917  one parameter an option
    files: Annotated[list[Path], typer.Argument(help="Annotated files: CMeEE, CCKS2019 or medner's own JSONL.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Run folder: adapter, card, loss curve, checkpoint.")],
    strategy: Annotated[str, typer.Option(help="symbol, json, html or index.")] = "symbol",
    labels: Annotated[str, typer.Option(help="Label set: a name or a .toml file.")] = "cmeee-v2",
    base: Annotated[str, typer.Option(help="Base model: a name or a folder.")] = "qwen2.5-coder-0.5b-instruct",
    exclude: Annotated[list[Path] | None, typer.Option(help="A file whose texts must not be trained on.")] = None,
    epochs: Annotated[float, typer.Option(min=0.001, help="How often to go over the data.")] = 1.0,
    hours: Annotated[float, typer.Option(min=0.0, help="Time limit; it ends with a usable adapter.")] = 1.0,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the adapter.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 4e-4,
    first_layer: Annotated[int, typer.Option(min=0, help="Layers below this one stay as they are.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of weights and order.")] = 7,
) -> None:
    """Tune a tagger: a LoRA adapter that writes a sentence's entities in one of the strategies.

    Stops at the end of the data or of the time, whichever is first. The same command goes on where a killed run left
    off.

    Example: medner train tagger train.json --exclude test.json --strategy symbol -o runs/symbol --hours 1.5
    """
    from transformers import AutoTokenizer

    from medner.agents.strategies import CODECS
    from medner.training.build import TaskForm, card_text, file_hash, training_data
    from medner.training.tagger import TaggerTrainer, TaggerTraining

    if strategy not in CODECS:
        raise UserError(f"no strategy {strategy!r}; there are {', '.join(CODECS)}")
    folder = Path(base) if Path(base).is_dir() else ModelStore().path(base)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    data = training_data(tokenizer, files, TaskForm(load_label_set(labels), strategy), exclude=exclude or ())
    typer.echo(
        f"{len(data.examples)} examples of {data.documents} texts "
        f"({data.excluded} excluded, {data.too_long} too long), {sum(map(len, data.examples)):,} tokens an epoch",
        err=True,
    )
    settings = TaggerTraining(
        rank=rank,
        alpha=2 * rank,
        first_layer=first_layer,
        learning_rate=learning_rate,
        epochs=epochs,
        time_limit_s=hours * 3_600,
        seed=seed,
    )
    trainer = TaggerTrainer(folder, out, data.examples, settings)
    trainer.train(_Reporter())
    fields = {
        "name": strategy,
        "base": base,
        "labels": labels,
        "strategy": strategy,
        "style": "brief",
        "data": [f"{file.name} sha256:{file_hash(file)}" for file in files],
        "examples": len(data.examples),
        "tokens": trainer.tokens,
        "seconds": round(trainer.seconds),
        "seed": seed,
    }
    (out / "adapter" / "card.toml").write_text(card_text(fields), encoding="utf-8")
    typer.echo(f"adapter: {out / 'adapter'}")


class _Reporter:
    """Says every half a minute where the run is."""

    def __init__(self) -> None:
        self._last = 0.0
        self._loss: float | None = None

    def __call__(self, step: Step) -> None:
        self._loss = step.loss if self._loss is None else 0.9 * self._loss + 0.1 * step.loss
        if time.monotonic() - self._last < 30 and step.batch < step.of:
            return
        self._last = time.monotonic()
        left = step.seconds / step.batch * (step.of - step.batch)
        typer.echo(
            f"batch {step.batch} of {step.of}, loss {self._loss:.4f}, "
            f"{step.tokens / max(step.seconds, 1e-9):.0f} tokens/s, {left / 60:.0f} min left",
            err=True,
        )
