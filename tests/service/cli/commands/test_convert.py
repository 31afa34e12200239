"""`medner convert` on good, bad and damaged files."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from medner.core.errors import MednerError
from medner.service.cli.commands import convert

SOURCE = [
    {"text": "患者胸部疼痛。", "entities": [{"start_idx": 2, "end_idx": 5, "type": "sym", "entity": "胸部疼痛"}]},
    {"text": "无发热。", "entities": [{"start_idx": 1, "end_idx": 2, "type": "sym", "entity": "发热"}]},
]
NESTED = {"start_idx": 2, "end_idx": 3, "type": "bod", "entity": "胸部"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A CMeEE file of two records, one with a nested entity."""
    records = json.loads(json.dumps(SOURCE))
    records[0]["entities"].append(NESTED)
    path = tmp_path / "notes.json"
    path.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    convert.register(app)
    return CliRunner().invoke(app, ["convert", *map(str, arguments)])


def test_documents_go_to_standard_output_and_remarks_do_not(source: Path) -> None:
    """Standard output is the file alone; the guess, counts and losses are on standard error."""
    result = run(source, "--to", "bio")
    assert result.exit_code == 0
    assert result.stdout.startswith("患\tO\n者\tO\n胸\tB-sym\n部\tI-sym\n")
    assert "read as cmeee" in result.stderr
    assert "2 documents with 3 entities" in result.stderr
    assert "lost: 1 nested entities" in result.stderr


def test_the_json_report_counts_everything(source: Path, tmp_path: Path) -> None:
    """With --json, standard output is one report."""
    other = tmp_path / "other.json"
    other.write_bytes(source.read_bytes())
    result = run(source, other, "--to", "ccks", "--labels", "cmeee-v2", "-o", tmp_path / "out.txt", "--json")
    report = json.loads(result.stdout)
    assert (report["documents"], report["entities"], report["bad_records"]) == (4, 6, 0)
    assert [one["format"] for one in report["inputs"]] == ["cmeee", "cmeee"]
    assert "临床表现" in (tmp_path / "out.txt").read_text(encoding="utf-8")


def test_there_and_back_is_byte_equal(source: Path, tmp_path: Path) -> None:
    """The same format again changes nothing; the input itself is never written over."""
    before, again = source.read_bytes(), tmp_path / "again.json"
    assert run(source, "--to", "cmeee", "-o", again).exit_code == 0
    assert again.read_bytes() == before
    assert isinstance(run(source, "--to", "cmeee", "-o", source).exception, MednerError)


def test_a_bad_record_stops_and_leaves_no_file(source: Path, tmp_path: Path) -> None:
    """The error names file, record and reason; the output does not appear."""
    source.write_text(source.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    result = run(source, "--to", "jsonl", "-o", tmp_path / "out.jsonl")
    assert isinstance(result.exception, MednerError)
    assert str(result.exception) == f"{source}: record 2: the file is cut off in the middle of this record"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.json"]


def test_skip_bad_writes_the_bad_beside_the_output(source: Path, tmp_path: Path) -> None:
    """The good records are in the output, the bad with their reason beside it, and the exit code is 1."""
    source.write_text(source.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    result = run(source, "--to", "jsonl", "-o", tmp_path / "out.jsonl", "--skip-bad")
    assert result.exit_code == 1
    assert len((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()) == 1
    bad = json.loads((tmp_path / "out.jsonl.bad.jsonl").read_text(encoding="utf-8"))
    assert (bad["record"], bad["reason"]) == (2, "the file is cut off in the middle of this record")
    assert bad["raw"].startswith('{"text": "无发热。"')
    assert "bad records skipped: 1" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--to", "xml"], "no format 'xml'"),
        (["--to", "jsonl", "--json"], "needs -o"),
        (["--to", "jsonl", "--skip-bad"], "needs -o"),
        (["--to", "brat"], "name the folder with -o"),
        (["--to", "jsonl", "--labels", "ccks2019"], "unknown label 'sym'"),
        (["--to", "jsonl", "--labels", "nothing"], "no label set"),
        (["--to", "jsonl", "--from", "ccks"], "no key 'originalText'"),
    ],
)
def test_a_wrong_option_says_the_way_out(source: Path, arguments: list[str], reason: str) -> None:
    """Each is a user's error in one line."""
    with pytest.raises(MednerError, match=reason) as caught:
        raise run(source, *arguments).exception or AssertionError
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_one_line_and_exit_code_3(source: Path) -> None:
    """The disk's refusal is an error outside the program."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    error = run(source, "--to", "jsonl", "-o", "/dev/full").exception
    assert isinstance(error, MednerError)
    assert error.exit_code == 3
    assert "No space left" in str(error)


def test_a_folder_of_texts_becomes_one_file(tmp_path: Path) -> None:
    """Each text is a document, its file name the id."""
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / "in" / f"{name}.txt").write_text("患者发热。", encoding="utf-8")
    assert run(tmp_path / "in", "--to", "jsonl", "-o", tmp_path / "out.jsonl").exit_code == 0
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["a", "b"]
