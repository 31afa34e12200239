"""`medner train span`: tunes a tagger that scores spans instead of writing text."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medner.store.labels import load_label_set
from medner.store.models import ModelStore

if TYPE_CHECKING:
    from medner.training.spans.trainer import SpanStep


def register(train: typer.Typer) -> None:
    """Adds the command to the group."""
    train.command("span")(train_span)


def train_span(  # noqa: PLR0913, PLR0917  one parameter an option
    files: Annotated[list[Path], typer.Argument(help="Completely annotated files: CMeEE, CCKS2019 or JSONL.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Run folder: adapter, card, loss curve, checkpoint.")],
    partial: Annotated[
        list[Path] | None, typer.Option(help="A file whose annotations may lack nested entities; read once.")
    ] = None,
    most_partial: Annotated[int | None, typer.Option(min=0, help="At most so many documents of those.")] = None,
    labels: Annotated[str, typer.Option(help="Label set: a name or a .toml file.")] = "cmeee-v2",
    base: Annotated[str, typer.Option(help="Base model: a name or a folder.")] = "qwen2.5-coder-0.5b-instruct",
    exclude: Annotated[list[Path] | None, typer.Option(help="A file whose texts must not be trained on.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="How often to go over the complete files.")] = 2,
    hours: Annotated[float, typer.Option(min=0.0, help="Time limit; it ends with a usable tagger.")] = 1.0,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the adapter.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="Highest learning rate of the adapter.")] = 4e-4,
    first_layer: Annotated[int, typer.Option(min=0, help="Layers below this one stay as they are.")] = 8,
    name: Annotated[str, typer.Option(help="The tagger's name in results.")] = "span",
    seed: Annotated[int, typer.Option(help="Seed of weights and order.")] = 7,
) -> None:
    """Tune a span tagger: it scores every start, end and type in one pass of the model.

    One text in twenty is held back to choose its threshold and to make probabilities of its scores. Stops at the end
    of the data or of the time, whichever is first; the same command goes on where a killed run left off.

    Example: medner train span train.json --exclude test.json -o runs/span --hours 1
    """
    from transformers import AutoTokenizer

    from medner.agents.spans.settings import SpanSettings
    from medner.training.build import card_text, file_hash
    from medner.training.spans.build import span_data
    from medner.training.spans.calibration import calibrated
    from medner.training.spans.trainer import SpanTrainer, SpanTraining

    folder = Path(base) if Path(base).is_dir() else ModelStore().path(base)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    label_set = load_label_set(labels)
    data = span_data(
        tokenizer, files, label_set, partial=partial or (), exclude=exclude or (), most_partial=most_partial
    )
    typer.echo(
        f"{len(data.complete)} sentences completely and {len(data.partial)} partly annotated, "
        f"{len(data.held_back)} held back, of {data.documents} texts ({data.excluded} excluded); "
        f"{data.lost_entities} entities cross a sentence's end",
        err=True,
    )
    settings = SpanTraining(
        rank=rank,
        alpha=2 * rank,
        first_layer=first_layer,
        learning_rate=learning_rate,
        epochs=epochs,
        time_limit_s=hours * 3_600,
        seed=seed,
    )
    trainer = SpanTrainer(folder, out, data.complete, data.partial, settings, types=len(label_set.types))
    trainer.train(_Reporter())
    chosen = calibrated(trainer, data.held_back, label_set)
    typer.echo(
        f"held back: {chosen.n} sentences, strict micro F1 {chosen.f1:.4f} at threshold {chosen.threshold:g}, "
        f"temperature {chosen.temperature:g}"
    )
    fields = {
        "name": name,
        "base": Path(base).name,
        "labels": labels,
        "strategy": "span",
        "data": [f"{file.name} sha256:{file_hash(file)}" for file in (*files, *(partial or ()))],
        "sentences": len(data.complete) + len(data.partial),
        "tokens": trainer.tokens,
        "seconds": round(trainer.seconds),
        "seed": seed,
        "held_back": f"{chosen.n} sentences, strict micro F1 {chosen.f1:.4f} (threshold chosen on them)",
    }
    SpanSettings(
        types=label_set.codes,
        two_way_from=first_layer,
        temperature=chosen.temperature,
        threshold=chosen.threshold,
    ).save(out / "adapter")
    (out / "adapter" / "card.toml").write_text(card_text(fields), encoding="utf-8")
    typer.echo(f"adapter: {out / 'adapter'}")


class _Reporter:
    """Says every half a minute where the run is."""

    def __init__(self) -> None:
        self._last = 0.0
        self._loss: float | None = None

    def __call__(self, step: SpanStep) -> None:
        self._loss = step.loss if self._loss is None else 0.97 * self._loss + 0.03 * step.loss
        if time.monotonic() - self._last < 30 and step.batch < step.of:
            return
        self._last = time.monotonic()
        left = step.seconds / step.batch * (step.of - step.batch)
        typer.echo(
            f"batch {step.batch} of {step.of}, loss {self._loss:.4f}, "
            f"{step.tokens / max(step.seconds, 1e-9):.0f} tokens/s, {left / 60:.0f} min left",
            err=True,
        )
