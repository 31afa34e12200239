"""The commands `evaluate` and `compare`, from their arguments to their output."""

from __future__ import annotations

import importlib.util
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer

from medner.core.errors import BadInputError, UserError
from medner.core.records import Document, Entity
from medner.service.cli.commands import compare, evaluate
from medner.store.corpora import write_documents

PROJECT = Path(__file__).parents[4]
DATA = Path(os.environ.get("MEDNER_DATA", PROJECT.parent / "shared" / "data"))
SIDE_BY_SIDE = DATA / "cmeee_v1_three_models" / "predictions.jsonl"

GOLD = [
    Document("1", "右肺下叶肺炎伴胸痛。", (Entity(0, 6, "dis"), Entity(0, 4, "bod"), Entity(7, 9, "sym"))),
    Document("2", "予青霉素静滴。", (Entity(1, 4, "dru"),)),
]
GOOD = [GOLD[0], Document("2", "予青霉素静滴。", (Entity(1, 6, "dru"),))]
POOR = [Document("1", GOLD[0].text, (Entity(0, 6, "sym"),)), Document("2", GOLD[1].text)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with gold.jsonl, good.jsonl and poor.jsonl."""
    for name, documents in (("gold", GOLD), ("good", GOOD), ("poor", POOR)):
        write_documents(documents, tmp_path / f"{name}.jsonl", format="jsonl")
    return tmp_path


def run(*arguments: object) -> None:
    """Runs a command line on a tree of these two commands alone."""
    app = typer.Typer()
    evaluate.register(app)
    compare.register(app)
    app(args=[str(argument) for argument in arguments], standalone_mode=False)


def test_one_file_gives_the_scores_as_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three of four right on both sides, with the types' Chinese names."""
    run("evaluate", folder / "gold.jsonl", folder / "good.jsonl", "--labels", "cmeee-v2", "--resamples", 100)
    text = capsys.readouterr().out
    line = next(line for line in text.splitlines() if line.startswith("good "))
    assert line.split()[1:5] == ["4", "4", "3", "0.7500"]
    assert "药物 dru" in text


def test_several_files_and_their_ensembles_give_one_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Systems and ensembles stand in one list."""
    files = [folder / "good.jsonl", folder / "poor.jsonl"]
    run("evaluate", folder / "gold.jsonl", *files, "--ensembles", "--json", "-", "--resamples", 100)
    report = json.loads(capsys.readouterr().out)
    names = [system["name"] for system in report["systems"]]
    assert names == ["good", "poor", "hard vote (2 of 2)", "union", "unanimous", "oracle"]
    assert report["agreement"] == {"documents": 2, "documents_in_dispute": 2, "agreed": 0, "disputed": 5}


def test_json_stands_alone_on_stdout(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a reader must know beside the numbers goes to stderr."""
    write_documents(GOLD[:1], folder / "half.jsonl", format="jsonl")
    run("evaluate", folder / "gold.jsonl", folder / "half.jsonl", "--json", "-", "--resamples", 100, "--seed", 7)
    out, err = capsys.readouterr()
    assert json.loads(out)["resampling"]["seed"] == 7
    assert json.loads(out)["systems"][0]["missing"] == ["2"]
    assert "half: no prediction for 1 of 2 documents (2)" in err


def test_reports_are_written_to_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text on stdout, JSON and HTML where they were asked for."""
    report, page = folder / "report.json", folder / "report.html"
    common = ("--resamples", 100, "--json", report, "--html", page)
    run("evaluate", folder / "gold.jsonl", folder / "good.jsonl", *common)
    assert json.loads(report.read_text(encoding="utf-8"))["kind"] == "evaluation"
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    run("compare", folder / "gold.jsonl", folder / "poor.jsonl", folder / "good.jsonl", *common)
    assert json.loads(report.read_text(encoding="utf-8"))["kind"] == "comparison"
    assert "<h1>Comparison</h1>" in page.read_text(encoding="utf-8")
    assert "Where they differ: 5 entities" in capsys.readouterr().out


def test_a_file_compared_with_itself_differs_nowhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same file twice gets two names, a difference of exactly 0 and p = 1."""
    files = [folder / "good.jsonl"] * 2
    run("compare", folder / "gold.jsonl", *files, "--json", "-", "--resamples", 100)
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["a"]["name"] != report["b"]["name"]
    value = report["overall"]["difference"]["f1"]
    assert (value["delta"], value["p_bootstrap"], value["p_randomisation"]) == (0, 1, 1)
    assert report["differing"] == []


def test_files_with_the_same_name_are_told_apart_by_their_paths() -> None:
    """Two folders often hold a file of the same name."""
    paths = [Path("a/out.jsonl"), Path("b/out.jsonl"), Path("c/other.jsonl")]
    assert list(evaluate.name_systems(paths)) == ["a/out.jsonl", "b/out.jsonl", "other"]


def test_a_system_may_be_called_like_an_ensemble(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A prediction file named union.jsonl is not replaced by the union."""
    (folder / "good.jsonl").rename(folder / "union.jsonl")
    files = [folder / "union.jsonl", folder / "poor.jsonl"]
    run("evaluate", folder / "gold.jsonl", *files, "--ensembles", "--json", "-", "--resamples", 100)
    names = [system["name"] for system in json.loads(capsys.readouterr().out)["systems"]]
    assert "union" in names
    assert "union (2)" in names


def test_bad_input_says_what_and_where(folder: Path) -> None:
    """A label that is not in the set, an extra document, one file for an ensemble, a missing file."""
    gold, good = folder / "gold.jsonl", folder / "good.jsonl"
    with pytest.raises(BadInputError, match="unknown label 'bod'"):
        run("evaluate", gold, good, "--labels", "ccks2019")
    write_documents([*GOOD, Document("3", "复查。")], good, format="jsonl")
    with pytest.raises(UserError, match="good: document '3'"):
        run("evaluate", gold, good)
    with pytest.raises(UserError, match="two prediction files"):
        run("evaluate", gold, good, "--ensembles")
    with pytest.raises(UserError, match="no such file"):
        run("evaluate", gold, folder / "none.jsonl")
    with pytest.raises(typer.BadParameter):
        run("evaluate", gold, good, "--resamples", 3)


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_the_help_teaches_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks for help sees a command line to copy."""
    with suppress(typer.Exit):
        run(command, "--help")
    assert f"medner {command} gold.jsonl" in capsys.readouterr().out


@pytest.mark.data
@pytest.mark.skipif(not SIDE_BY_SIDE.exists(), reason=f"{SIDE_BY_SIDE} is not there (set MEDNER_DATA)")
def test_three_real_models_give_their_known_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Converted and evaluated from the command line, models, votes and oracle have the figures counted elsewhere."""
    spec = importlib.util.spec_from_file_location("three_models", PROJECT / "examples" / "three_models.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    gold, *systems = script.convert(SIDE_BY_SIDE, tmp_path)
    run("evaluate", gold, *systems, "--labels", "cmeee-v2", "--ensembles", "--resamples", 100, "--json", "-")
    report = json.loads(capsys.readouterr().out)
    assert (report["gold"]["documents"], report["gold"]["entities"]) == (2539, 10413)
    overall = {system["name"]: system["overall"] for system in report["systems"]}
    assert {name: f"{counts['f1']['value']:.4f}" for name, counts in overall.items()} == {
        "mcbert_crf": "0.6268",
        "roberta_crf": "0.6260",
        "roberta_large_crf": "0.6422",
        "hard vote (2 of 3)": "0.6604",
        "union": "0.6169",
        "unanimous": "0.6203",
        "oracle": "0.7877",
    }
    assert [(counts["tp"], counts["predicted"]) for counts in overall.values()][:4] == [
        (6593, 10623),
        (6595, 10656),
        (6919, 11134),
        (6748, 10024),
    ]
    assert report["agreement"] == {
        "documents": 2539,
        "documents_in_dispute": 1845,
        "agreed": 7202,
        "disputed": 7985,
    }
