"""`medner train recipes`: the settings that come with medner for training on a base model."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from medner.service.cli.reporting import print_json

HELP = """List the recipes, or print one as a file with the source of each value.

A recipe sets the base model and the training for `medner train tagger --recipe`. Options on the command line override \
it.

\b
Examples:
  medner train recipes
  medner train recipes qwen2.5-7b-instruct > mine.toml

Exit code: 0 done; 2 there is no such recipe.
"""


def register(train: typer.Typer) -> None:
    """Adds the command to the group."""
    train.command("recipes", help=HELP)(recipes)


def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Print this recipe's file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Lists recipes or prints one."""
    from medner.training.recipes import load_recipe, recipe_toml, shipped_recipes

    if name is not None and not as_json:
        typer.echo(recipe_toml(name), nl=False)
        return
    found = shipped_recipes() if name is None else (load_recipe(name),)
    if as_json:
        print_json([asdict(recipe) for recipe in found])
        return
    for recipe in found:
        settings = recipe.settings
        batch = settings.get("batch_examples") or f"{settings['batch_tokens']:,} tokens"
        typer.echo(
            f"{recipe.name}\n    {recipe.remark}\n    base {recipe.base}, {settings['quantise']}, "
            f"rank {settings['rank']}, learning rate {settings['learning_rate']:g}, batch {batch}, "
            f"epochs {settings['epochs']:g}"
        )
