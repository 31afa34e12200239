"""What the commands of `medner train` share: options, the command for the card, and how an order is carried out."""

from __future__ import annotations

import shlex
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from medner.service.cli.bounds import MOST_SEED, YEAR_HOURS, finite
from medner.service.cli.exit_codes import ReportedExit
from medner.service.cli.reporting import say

if TYPE_CHECKING:
    from medner.service.build.engines import EngineFactory
    from medner.service.train.orders import Order

OrderT = TypeVar("OrderT", bound="Order")

AnnotatedFiles = Annotated[
    list[Path], typer.Argument(metavar="FILES", help="Annotated files, in any format that medner reads.")
]
RunFolderOption = Annotated[
    Path, typer.Option("-o", "--out", metavar="FOLDER", help="Run folder: adapter, card, loss curve, checkpoint.")
]
Labels = Annotated[str, typer.Option(metavar="NAME|FILE", help="Label set: a name or a .toml file.")]
Base = Annotated[
    str | None,
    typer.Option(metavar="NAME|FOLDER", help="Base model. Default: qwen2.5-coder-0.5b-instruct."),
]
Exclude = Annotated[
    list[Path] | None, typer.Option(metavar="FILE", help="Do not train on the texts of this file; repeatable.")
]
Partial = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="An annotated file that may lack nested entities; repeatable."),
]
DataNote = Annotated[str, typer.Option(metavar="TEXT", help="The terms of the training data, for the card.")]
Hours = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=YEAR_HOURS,
        callback=finite,
        help="Time limit in hours (1); the run then ends with a usable adapter.",
    ),
]
Rank = Annotated[int | None, typer.Option(min=1, max=4_096, help="Rank of the adapter (16).")]
LearningRate = Annotated[
    float | None, typer.Option(min=1e-9, max=1.0, callback=finite, help="Highest learning rate (4e-4).")
]
FirstLayer = Annotated[int | None, typer.Option(min=0, max=1_000, help="Train the layers from this one on (8).")]
BatchTokens = Annotated[
    int | None,
    typer.Option(
        min=1, max=1_048_576, help="Padded tokens in a batch, at most (1024; llm-cls 512); a longer example is a batch."
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Seed of samples, weights and order.")]
CheckpointEvery = Annotated[
    float | None,
    typer.Option(
        "--checkpoint-every",
        metavar="MINUTES",
        min=0.0,
        max=60 * YEAR_HOURS,
        callback=finite,
        help="Minutes between checkpoints (10).",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Measure one step, print batches, memory and hours, and stop.")]
Force = Annotated[bool, typer.Option("--force", help="Begin even if the memory estimate does not fit.")]


def order_of(kind: type[OrderT], given: dict[str, Any]) -> OrderT:
    """The order that a command's parameters make: those with the name of one of its fields, and the rest its settings.

    What was not given is left to the order's defaults.
    """
    context = given.pop("context")
    chosen: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    names = {field.name for field in fields(kind)}
    if "settings" in names:
        settings = {name: chosen.pop(name) for name in chosen.keys() - names}
        chosen |= {"command": shown_command(context), "settings": settings}
    return kind(**{name: value for name, value in chosen.items() if value is not None})


def carry_out_order(order: Order, written: str, *, engine_factory: EngineFactory | None = None) -> None:
    """Carries an order out and prints where its output is; exit code 130 where somebody stopped it."""
    from medner.core.stop_signal import stop_asked
    from medner.service.train.run import Ending, carry_out

    with stop_asked(lambda: say("stopping after this step; once more (Ctrl-C) stops at once")) as stop:
        outcome = carry_out(order, say, stop=stop, engine_factory=engine_factory)
    if outcome.ending is Ending.STOPPED:
        say(f"stopped; the same command goes on from {order.out}")
        raise typer.Exit(ReportedExit(130))
    if outcome.ending is Ending.DONE:
        typer.echo(f"{written}: {outcome.output}")


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
