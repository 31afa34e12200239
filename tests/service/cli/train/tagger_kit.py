"""`medner train tagger` with few settings, on a tiny model and a small corpus."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from tests.tiny_model import save_tiny_model

pytest.importorskip("torch")
pytest.importorskip("peft")
from medner.service.cli.train import group as train

SETTINGS = ("--first-layer", "0", "--learning-rate", "0.005", "--rank", "4", "--batch-tokens", "300", "--hours", "100")


def write_corpus(path: Path, numbers: range) -> Path:
    """Annotated sentences, one a number."""
    entities = [{"start": 8, "end": 10, "label": "sym"}, {"start": 11, "end": 15, "label": "sym"}]
    lines = [
        {"id": str(number), "text": f"患者{number}天前出现咳嗽、咽部充血。", "entities": entities} for number in numbers
    ]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base model, a training file and a test file that shares texts with it."""
    folder = tmp_path_factory.mktemp("place")
    save_tiny_model(folder / "base")
    write_corpus(folder / "train.jsonl", range(10, 40))
    write_corpus(folder / "test.jsonl", range(35, 45))
    return folder


def run(*arguments: object) -> Result:
    """`medner train ...`; an error of ours is the result's exception."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    train.register(app)
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def tagger(place: Path, out: Path, *more: object) -> Result:
    """`medner train tagger` on the tiny model."""
    return run("tagger", place / "train.jsonl", "--base", place / "base", "-o", out, *SETTINGS, *more)
