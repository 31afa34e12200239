"""`medner train`: tunes the models that medner runs."""

from __future__ import annotations

import typer

from medner.service.cli import train_filter, train_judge, train_recipes, train_soft_labels, train_span, train_tagger

COMMANDS = (train_tagger, train_recipes, train_span, train_soft_labels, train_filter, train_judge)


def register(app: typer.Typer) -> None:
    """Adds the group to the command tree."""
    train = typer.Typer(
        help="Tune the models that medner runs, on this machine.", no_args_is_help=True, rich_markup_mode=None
    )
    train.callback()(_group)
    for command in COMMANDS:
        command.register(train)
    app.add_typer(train, name="train")


def _group() -> None:
    """Tune the models that medner runs, on this machine."""
