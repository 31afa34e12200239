"""Recipes: the settings of a training run for a base model, in a file, each value with its source.

A recipe is a TOML file: ``base``, ``architecture`` (the class transformers runs it with), ``remark``, and the table
``settings`` with fields of :class:`~medner.training.loop.settings.TaggerTraining` and of the data.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medner.core.errors import BadInputError, UserError
from medner.core.validation import complaint


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rank: int | None = Field(default=None, ge=1)
    alpha: int | None = Field(default=None, ge=1)
    targets: tuple[str, ...] | None = None
    first_layer: int | None = Field(default=None, ge=0)
    quantise: Literal["nf4", "none", "auto"] | None = None
    learning_rate: float | None = Field(default=None, gt=0)
    warm_up: float | None = Field(default=None, gt=0, lt=1)
    weight_decay: float | None = Field(default=None, ge=0)
    batch_tokens: int | None = Field(default=None, ge=1)
    batch_examples: int | None = Field(default=None, ge=1)
    batches_per_step: int | None = Field(default=None, ge=1)
    whole_vocabulary: bool | None = None
    recompute: bool | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    hours: float | None = Field(default=None, gt=0)


class _RecipeFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    base: str = Field(min_length=1)
    architecture: str = Field(min_length=1)
    remark: str = ""
    settings: _Settings


@dataclass(frozen=True, slots=True)
class Recipe:
    """``settings`` holds what the file says and nothing else; ``hours`` and ``max_tokens`` stand among them."""

    name: str
    base: str
    architecture: str
    remark: str
    settings: dict[str, Any]


def shipped_recipes() -> tuple[Recipe, ...]:
    """The recipes that come with medner, by name."""
    return tuple(load_recipe(name) for name in _names())


def load_recipe(name_or_path: str) -> Recipe:
    """A shipped recipe by its name, or one of your own from a TOML file. UserError when it is not to be had."""
    text = recipe_toml(name_or_path)
    try:
        read = _RecipeFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"not valid TOML: {error}", path=name_or_path) from error
    except ValidationError as error:
        reason, key = complaint(error)
        raise BadInputError(reason, path=name_or_path, key=key) from error
    settings = read.settings.model_dump(exclude_none=True)
    return Recipe(Path(name_or_path).name.removesuffix(".toml"), read.base, read.architecture, read.remark, settings)


def recipe_toml(name_or_path: str) -> str:
    """The text of a recipe, with its comments. UserError when it is not to be had."""
    if name_or_path in _names():
        return (resources.files(__package__) / f"{name_or_path}.toml").read_text(encoding="utf-8")
    path = Path(name_or_path)
    if path.suffix != ".toml" or not path.is_file():
        raise UserError(f"no recipe {name_or_path!r}: give one of {', '.join(_names())}, or the path of a .toml file")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInputError("not UTF-8 text; a recipe is a TOML file in UTF-8", path=path) from error


def _names() -> list[str]:
    entries = resources.files(__package__).iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))
