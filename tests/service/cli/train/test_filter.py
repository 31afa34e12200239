"""`medner train filter` from files to a filter that annotates."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

pytest.importorskip("torch")

from medner.core.errors import UserError
from medner.core.labels import label_set_toml
from medner.service.cli.train import filter as train_filter
from medner.service.config.cards import filter_card
from tests.tiny_model import save_tiny_model
from tests.training.filters.conftest import NOTES, write


def run(*arguments: object) -> Result:
    """The command; an error of ours is the result's exception."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    train_filter.register(app)
    return CliRunner().invoke(app, ["filter", *map(str, arguments)])


def test_a_filter_and_its_card_come_out(tmp_path: Path) -> None:
    """The card says kind, data, seed, threshold and how the filter did; it names no folder of this machine."""
    base = save_tiny_model(tmp_path / "base")
    train, test = write(tmp_path / "train.jsonl", NOTES), write(tmp_path / "test.jsonl", NOTES[:5])
    said = write(tmp_path / "said.jsonl", NOTES)
    done = run(
        *(train, "--exclude", test, "--predictions", said, "--base", base, "--first-layer", 0),
        *("--samples", 40, "--epochs", 1, "--seed", 3, "-o", tmp_path / "run"),
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == f"filter: {tmp_path / 'run' / 'adapter'}"
    assert "55 texts, 5 more excluded" in done.stderr
    assert "calibration error" in done.stderr
    text = (tmp_path / "run" / "adapter" / "card.toml").read_text(encoding="utf-8")
    card = tomllib.loads(text)
    assert (card["kind"], card["base"], card["labels"], card["seed"]) == ("llm-cls", "base", "cmeee-v2", 3)
    assert card["predictions"][0].startswith("said.jsonl sha256:")
    assert 0 <= card["threshold"] <= 1
    assert str(tmp_path) not in text


def test_a_card_names_a_label_set_of_ones_own(tmp_path: Path) -> None:
    """The card holds the label set's name, which the run that uses the filter compares, and no path."""
    text = label_set_toml("cmeee-v2").replace('name = "cmeee-v2"', 'name = "mine"')
    (tmp_path / "other.toml").write_text(text, encoding="utf-8")
    train = write(tmp_path / "train.jsonl", NOTES)
    options = ("--kind", "bert-cls", "--hours", 0, "--samples", 20, "--labels", tmp_path / "other.toml")
    assert run(train, *options, "-o", tmp_path / "run").exit_code == 0
    card = filter_card(tmp_path / "run" / "adapter")
    assert card.labels == "mine"


def test_what_cannot_be_trained_is_said(tmp_path: Path) -> None:
    """An unknown kind, and an encoder from random weights where a language model is needed."""
    train = write(tmp_path / "train.jsonl", NOTES)
    wrong = run(train, "--kind", "crf", "-o", tmp_path / "run")
    assert isinstance(wrong.exception, UserError)
    assert "llm-cls, llm-causal, bert-cls" in str(wrong.exception)
    new = run(train, "--kind", "llm-cls", "--base", "new", "-o", tmp_path / "run")
    assert isinstance(new.exception, UserError)
    assert "bert-cls" in str(new.exception)


@pytest.mark.parametrize("kind", ["llm-cls", "llm-causal"])
def test_a_base_without_a_tokenizer_is_said(tmp_path: Path, kind: str) -> None:
    """A folder without its tokenizer is the user's error, not a defect."""
    base = save_tiny_model(tmp_path / "base")
    (base / "tokenizer.json").unlink()
    train = write(tmp_path / "train.jsonl", NOTES)
    refused = run(train, "--kind", kind, "--base", base, "--samples", 20, "-o", tmp_path / "run")
    assert isinstance(refused.exception, UserError)
    assert str(refused.exception).startswith(f"{base}: its tokenizer cannot be loaded")


def test_a_time_limit_of_nothing_still_gives_a_filter(tmp_path: Path) -> None:
    """The time limit ends with a usable filter, a new encoder among them."""
    train = write(tmp_path / "train.jsonl", NOTES)
    done = run(train, "--kind", "bert-cls", "--hours", 0, "--samples", 20, "-o", tmp_path / "run")
    assert done.exit_code == 0, done.output
    folder = tmp_path / "run" / "adapter"
    assert {"card.toml", "config.json", "model.safetensors", "tokenizer.json"} <= {one.name for one in folder.iterdir()}


def test_a_filter_can_go_on_from_an_adapter(tmp_path: Path) -> None:
    """With no time to learn, the adapter is the one it started from; a BERT has none to start from."""
    from safetensors.torch import load_file

    base = save_tiny_model(tmp_path / "base")
    train = write(tmp_path / "train.jsonl", NOTES)
    common = (train, "--base", base, "--first-layer", 0, "--samples", 40)
    first, second = tmp_path / "first", tmp_path / "second"
    assert run(*common, "--epochs", 20, "-o", first).exit_code == 0
    assert run(*common, "--hours", 0, "--start", first / "adapter", "-o", second).exit_code == 0
    learnt, taken = (load_file(one / "adapter" / "adapter_model.safetensors") for one in (first, second))
    assert all((learnt[name] == taken[name]).all() for name in learnt)
    assert any(weight.any() for name, weight in taken.items() if "lora_B" in name)
    refused = run(train, "--kind", "bert-cls", "--start", first / "adapter", "-o", tmp_path / "third")
    assert "bert-cls has none" in str(refused.exception)
