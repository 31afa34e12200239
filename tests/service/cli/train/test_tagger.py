"""`medner train tagger`, on a tiny random model."""

from __future__ import annotations

import json
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.testing import Result

from medner.core.errors import UserError
from tests.tiny_model import save_tiny_model

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
from tests.service.cli.train.tagger_kit import place, run, tagger

__all__ = ["place"]


@pytest.fixture(scope="module")
def finished(place: Path) -> tuple[Path, Result]:
    """A whole run with its evaluation."""
    out = place / "finished"
    note = "Written by hand, free to use."
    result = tagger(
        place, out, "--evaluate", place / "test.jsonl", "--data-note", note, "--name", "first", "--epochs", 2
    )
    return out, result


def test_a_run_folder_holds_all_of_a_run(finished: tuple[Path, Result]) -> None:
    """Adapter, card, configuration, curve, picture, evaluation and predictions are there, and the last line says so."""
    out, result = finished
    assert result.exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == [
        *("adapter", "config.json", "evaluation.json", "loss.jsonl", "loss.svg", "predictions.jsonl", "state.pt")
    ]
    assert sorted(path.name for path in (out / "adapter").iterdir()) == [
        *("adapter_config.json", "adapter_model.safetensors", "card.toml")
    ]
    last = result.stderr.splitlines()[-1]
    for path in (out / "adapter" / "card.toml", out / "loss.svg"):
        assert str(path) in last
    assert result.stdout == f"adapter: {out / 'adapter'}\n"


def test_the_card_tells_everything_and_no_folder(finished: tuple[Path, Result]) -> None:
    """The card names base, data with hashes, what training took, terms and scores; paths stay on the machine."""
    out, _ = finished
    text = (out / "adapter" / "card.toml").read_text(encoding="utf-8")
    assert str(out.parent) not in text
    card = tomllib.loads(text)
    assert {
        key: card[key] for key in ("name", "base", "labels", "strategy", "style", "examples", "epochs", "seed")
    } == {
        "name": "first",
        "base": "base",
        "labels": "cmeee-v2",
        "strategy": "symbol",
        "style": "brief",
        "examples": 25,
        "epochs": 2.0,
        "seed": 7,
    }
    assert [entry.split()[0] for entry in (*card["data"], *card["excluded"])] == ["train.jsonl", "test.jsonl"]
    assert card["licence_note"] == "See the base model's own licence. Written by hand, free to use."
    assert card["scores"][0].startswith("test.jsonl, 10 documents, 20 entities, strict micro: P ")
    assert "start" not in card
    words = shlex.split(card["command"])
    assert words[:4] == ["medner", "train", "tagger", "train.jsonl"]
    assert words[words.index("--data-note") + 1] == "Written by hand, free to use."
    assert words[words.index("--base") + 1] == "base"


def test_the_evaluation_is_that_of_medner_evaluate(finished: tuple[Path, Result]) -> None:
    """evaluation.json has n and the bootstrap interval, and its counts are those of the predictions beside it."""
    out, _ = finished
    report = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    predictions = [json.loads(line) for line in (out / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (report["gold"]["documents"], report["gold"]["entities"], report["systems"][0]["name"]) == (10, 20, "first")
    assert report["systems"][0]["overall"]["predicted"] == sum(len(one["entities"]) for one in predictions)
    assert {"value", "low", "high"} == set(report["systems"][0]["overall"]["f1"])
    assert str(out.parent) not in json.dumps(report)


def test_the_configuration_tells_what_was_run(finished: tuple[Path, Result]) -> None:
    """config.json has settings, data and versions, and no folder of this machine."""
    out, _ = finished
    text = (out / "config.json").read_text(encoding="utf-8")
    config = json.loads(text)
    assert str(out.parent) not in text
    assert config["settings"]["rank"] == 4
    assert config["settings"]["alpha"] == 8
    assert config["task"]["data"][0].startswith("train.jsonl sha256:")
    assert config["about"]["versions"]["torch"] == torch.__version__


def test_a_run_from_an_adapter_says_so_on_its_card(place: Path, finished: tuple[Path, Result]) -> None:
    """--start goes on from an adapter of the same shape, and the card names it with its hash."""
    out = place / "second"
    assert tagger(place, out, "--start", finished[0] / "adapter", "--seed", 8).exit_code == 0
    card = tomllib.loads((out / "adapter" / "card.toml").read_text(encoding="utf-8"))
    assert card["start"].startswith("first sha256:")


def test_a_dry_run_says_what_a_run_would_take_and_writes_nothing(place: Path, tmp_path: Path) -> None:
    """Examples, batches, memory and time are said; the run folder is not made."""
    result = tagger(place, tmp_path / "dry", "--dry-run")
    assert result.exit_code == 0
    for part in ("30 examples", "tokens an epoch", "memory: about", "batches,", "tokens/s (one step measured)"):
        assert part in result.stderr
    assert not (tmp_path / "dry").exists()


def test_a_run_that_needs_more_memory_than_there_is_does_not_begin(place: Path, tmp_path: Path) -> None:
    """The error comes before the weights are loaded, with the way out; --force is one."""
    # A vast model that is nothing but its configuration: loading it would fail with another message.
    vast = tmp_path / "vast"
    vast.mkdir()
    for file in (place / "base").iterdir():
        if file.suffix != ".safetensors":
            (vast / file.name).write_bytes(file.read_bytes())
    config = json.loads((vast / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_size": 65_536, "intermediate_size": 262_144, "num_attention_heads": 512, "head_dim": 128}
    (vast / "config.json").write_text(json.dumps(config), encoding="utf-8")
    command = ("tagger", place / "train.jsonl", "--base", vast, "-o", tmp_path / "out", "--first-layer", 0)
    refused = run(*command)
    assert isinstance(refused.exception, UserError)
    assert "of memory and" in str(refused.exception)
    assert "--batch-tokens" in str(refused.exception)
    forced = run(*command, "--force")
    assert "cannot be loaded" in str(forced.exception)


def test_wrong_names_are_said(place: Path, tmp_path: Path) -> None:
    """A strategy or a recipe there is not is the user's error, with those there are."""
    wrong = tagger(place, tmp_path / "out", "--strategy", "xml")
    assert "no strategy 'xml'; there are" in str(wrong.exception)
    wrong = tagger(place, tmp_path / "out", "--recipe", "gpt")
    assert "no recipe 'gpt': give one of" in str(wrong.exception)


def test_a_base_without_a_usable_tokenizer_is_said(place: Path, tmp_path: Path) -> None:
    """Without a chat template, and without a tokenizer."""
    base = save_tiny_model(tmp_path / "base")
    (base / "chat_template.jinja").unlink()
    wrong = tagger(place, tmp_path / "out", "--base", base)
    assert isinstance(wrong.exception, UserError)
    assert "no chat template" in str(wrong.exception)
    (base / "tokenizer.json").unlink()
    wrong = tagger(place, tmp_path / "out", "--base", base)
    assert isinstance(wrong.exception, UserError)
    assert f"{base}: its tokenizer cannot be loaded" in str(wrong.exception)
