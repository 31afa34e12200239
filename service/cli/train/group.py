"""`medner train`: tunes the models that medner runs."""

from __future__ import annotations

import typer

from medner.service.cli.train import evidence as train_evidence
from medner.service.cli.train import filter as train_filter
from medner.service.cli.train import judge as train_judge
from medner.service.cli.train import recipes as train_recipes
from medner.service.cli.train import soft_labels as train_soft_labels
from medner.service.cli.train import span as train_span
from medner.service.cli.train import tagger as train_tagger

HELP = """Train taggers, filters and judges on annotated files, on this machine.

\b
Examples:
  medner train span train.json --exclude test.json -o runs/span --hours 1 --dry-run
  medner train span train.json --exclude test.json -o runs/span --hours 1
  medner annotate notes/ --taggers ./runs/span/adapter
"""
COMMANDS = (train_tagger, train_recipes, train_span, train_soft_labels, train_filter, train_judge, train_evidence)


def register(app: typer.Typer) -> None:
    """Adds the group to the command tree."""
    train = typer.Typer(
        help=HELP,
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    train.callback()(_group)
    for command in COMMANDS:
        command.register(train)
    app.add_typer(train, name="train")


def _group() -> None:
    """Train taggers, filters and judges on annotated files, on this machine."""
