"""`medner train recipes`, and a recipe beside options."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
from tests.service.cli.train.tagger_kit import place, run, tagger

__all__ = ["place"]


def test_options_win_over_the_recipe(place: Path, tmp_path: Path) -> None:
    """What the command line says replaces the recipe's value, and its other values hold."""
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'base = "unused"\narchitecture = "Qwen2ForCausalLM"\n[settings]\nrank = 2\nbatch_examples = 5\nepochs = 2\n',
        encoding="utf-8",
    )
    assert tagger(place, tmp_path / "out", "--recipe", recipe, "--epochs", 1).exit_code == 0
    settings = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))["settings"]
    assert (settings["rank"], settings["batch_examples"], settings["epochs"]) == (4, 5, 1)


def test_recipes_are_listed_and_shown() -> None:
    """As text, as JSON alone on stdout, and one of them as its file."""
    listed = run("recipes").stdout
    assert "glm-4-9b-chat\n" in listed
    found = json.loads(run("recipes", "--json").stdout)
    assert {"name", "base", "architecture", "remark", "settings"} == set(found[0])
    shown = run("recipes", "llama-3.1-8b-instruct").stdout
    assert tomllib.loads(shown)["settings"]["learning_rate"] == 1e-4
