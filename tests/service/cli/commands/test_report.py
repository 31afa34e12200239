"""The command `report paper`, from its arguments to its files."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
import typer

from medner.core.errors import BadInputError, UserError
from medner.core.records import Document, Entity
from medner.evaluation.side_by_side import read_side_by_side
from medner.service.cli.commands import report
from medner.store.corpora import write_documents

DATA = Path(os.environ.get("MEDNER_DATA", Path(__file__).parents[4].parent / "shared" / "data"))
SIDE_BY_SIDE = DATA / "cmeee_v1_three_models" / "predictions.jsonl"

GOLD = [
    Document("1", "右肺下叶肺炎伴胸痛。", (Entity(0, 6, "dis"), Entity(0, 4, "bod"), Entity(7, 9, "sym"))),
    Document("2", "予青霉素静滴。", (Entity(1, 4, "dru"),)),
]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest with one tagger that finds half of it."""
    write_documents(GOLD, tmp_path / "gold.jsonl", format="jsonl")
    write_documents(GOLD[:1], tmp_path / "symbol.jsonl", format="jsonl")
    path = tmp_path / "manifest.toml"
    path.write_text(
        'labels = "cmeee-v2"\ngold = "gold.jsonl"\n'
        '[[tagger]]\nname = "symbol"\nstrategy = "symbol"\nbase = "b"\nfile = "symbol.jsonl"\n',
        encoding="utf-8",
    )
    return path


def run(*arguments: object) -> None:
    """Runs a command line on a tree of this group alone."""
    app = typer.Typer()
    app.callback()(lambda: None)
    report.register(app)
    app(args=[str(argument) for argument in arguments], standalone_mode=False)


def test_both_pages_are_written(manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder is made; stdout says what was measured, stderr what a reader must know."""
    run("report", "paper", manifest, "-o", tmp_path / "new" / "report", "--resamples", 100, "--seed", 7)
    out, err = capsys.readouterr()
    page = (tmp_path / "new" / "report" / "paper.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "100 resamples, seed 7" in page
    assert (tmp_path / "new" / "report" / "paper.md").read_text(encoding="utf-8").startswith("# ")
    assert "Table 3: Annotation strategies: on 1 of 1 data sets" in out
    assert "Table 5: Filters: not measured" in out
    assert "symbol: no prediction for 1 of 2 documents" in err


def test_the_same_seed_gives_the_same_pages(manifest: Path, tmp_path: Path) -> None:
    """Two runs write the same bytes."""
    for name in ("a", "b"):
        run("report", "paper", manifest, "-o", tmp_path / name, "--resamples", 100)
    for page in ("paper.html", "paper.md"):
        assert (tmp_path / "a" / page).read_bytes() == (tmp_path / "b" / page).read_bytes()


def test_bad_input_says_what_and_where(manifest: Path, tmp_path: Path) -> None:
    """A wrong key, a manifest that is not there, a file for a folder, predictions of other documents."""
    with pytest.raises(UserError, match="is a file"):
        run("report", "paper", manifest, "-o", manifest)
    with pytest.raises(UserError, match="cannot be read"):
        run("report", "paper", tmp_path / "none.toml", "-o", tmp_path / "out")
    write_documents([Document("9", "复查。")], tmp_path / "symbol.jsonl", format="jsonl")
    with pytest.raises(UserError, match="symbol: document '9'"):
        run("report", "paper", manifest, "-o", tmp_path / "out")
    manifest.write_text(manifest.read_text(encoding="utf-8") + "speed = 1\n", encoding="utf-8")
    with pytest.raises(BadInputError, match=r"tagger\.0\.speed"):
        run("report", "paper", manifest, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_help_teaches_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks for help sees a command line to copy."""
    with suppress(typer.Exit):
        run("report", "paper", "--help")
    assert "medner report paper examples/paper/cmeee-v2.toml -o report" in capsys.readouterr().out


@pytest.mark.data
@pytest.mark.skipif(not SIDE_BY_SIDE.exists(), reason=f"{SIDE_BY_SIDE} is not there (set MEDNER_DATA)")
def test_three_real_models_give_their_known_figures(tmp_path: Path) -> None:
    """The members, the hard vote and the oracle have the scores counted elsewhere."""
    read = read_side_by_side(SIDE_BY_SIDE)
    taggers = ""
    for name, documents in {"gold": read.gold, **read.systems}.items():
        write_documents(documents, tmp_path / f"{name}.jsonl", format="jsonl")
        if name != "gold":
            taggers += f'[[tagger]]\nname = "{name}"\nstrategy = "sequence"\nbase = "{name}"\nfile = "{name}.jsonl"\n'
    manifest = tmp_path / "v1.toml"
    votes = '[[ensemble]]\nkind = "hard-vote"\n[[ensemble]]\nkind = "oracle"\n'
    manifest.write_text(
        f'labels = "cmeee-v2"\ndataset = "CMeEE-V1"\ngold = "gold.jsonl"\n{taggers}{votes}', encoding="utf-8"
    )
    run("report", "paper", manifest, "-o", tmp_path / "out", "--resamples", 100)
    lines = (tmp_path / "out" / "paper.md").read_text(encoding="utf-8").replace("\\", "").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    f1 = {row[0]: row[5][:6] for row in cells if len(row) == 6}
    assert {name: f1[name] for name in (*read.systems, "hard-vote", "oracle")} == {
        "mcbert_crf": "0.6268",
        "roberta_crf": "0.6260",
        "roberta_large_crf": "0.6422",
        "hard-vote": "0.6604",
        "oracle": "0.7877",
    }
