"""File names, encodings, pipes, closed streams and Ctrl-C as they are on people's machines."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.line_kit import ROOT, Line, annotate_program, line, program

__all__ = ["line"]
CASES = Path(__file__).parent
#: 病历 in GBK.
GBK = os.fsdecode(b"\xb2\xa1\xc0\xfa")


def _run(
    command: list[str], environment: Mapping[str, str] | None = None, *, stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    surroundings = {**os.environ, **(environment or {})}
    return subprocess.run(  # noqa: S603  medner itself
        command, cwd=ROOT, env=surroundings, input=stdin, capture_output=True, timeout=60, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file whose name is GBK, and one beside it."""
    folder = tmp_path / "n"
    shutil.copytree(CASES / "29-gbk-file-name", folder)
    os.rename(folder / "02.txt", os.fsencode(folder / "02.txt").replace(b"02", os.fsencode(GBK)))
    (folder / "b.txt").write_text("胸痛。", encoding="utf-8")
    return folder


def test_a_file_name_that_is_not_utf8_gives_an_id(line: Line, folder: Path, tmp_path: Path) -> None:
    """Decoded as GB18030 where it is that; the rest of the folder is read, in every command."""
    out = tmp_path / "out.jsonl"
    assert line.annotate(folder, "-o", out, "--html", tmp_path / "p.html").code == 0
    assert {json.loads(one)["id"] for one in out.read_text(encoding="utf-8").splitlines()} == {"b", "病历"}
    ended = line("convert", folder, "--to", "jsonl", "-o", tmp_path / "c.jsonl")
    assert ended.code == 0
    assert {json.loads(one)["id"] for one in (tmp_path / "c.jsonl").read_text("utf-8").splitlines()} == {"b", "病历"}
    assert line.annotate(folder / f"{GBK}.txt", "--json").code == 0


def test_bytes_of_no_encoding_and_names_that_become_alike(line: Line, folder: Path, tmp_path: Path) -> None:
    """Percent-encoded; the same name in two encodings gives two ids."""
    (folder / "病历.txt").write_text("咳嗽。", encoding="utf-8")
    (folder / os.fsdecode(b"\xff\xfe.txt")).write_text("咳嗽。", encoding="utf-8")
    (folder / "a\nb.txt").write_text("咳嗽。", encoding="utf-8")
    ended = line.annotate(folder, "--json")
    assert ended.code == 0
    ids = [json.loads(one)["id"] for one in ended.out.splitlines()]
    assert len(set(ids)) == 5
    assert {"%FF%FE", "a\nb"} <= set(ids)


def test_errors_and_outputs_of_such_names_can_be_written(line: Line, folder: Path, tmp_path: Path) -> None:
    """A bad file is named, its record is listed, and an output may have such a name."""
    (folder / f"{GBK}.txt").write_bytes(b"\x00\x01")
    ended = line.annotate(folder)
    assert (ended.code, "病历.txt" in ended.err) == (2, True)
    assert line.annotate(folder, "--skip-bad", "-o", tmp_path / f"{GBK}.jsonl").code == 1
    assert line("convert", folder, "--skip-bad", "--to", "jsonl", "-o", tmp_path / "c.jsonl").code == 1
    assert "病历.txt" in (tmp_path / "c.jsonl.bad.jsonl").read_text(encoding="utf-8")
    assert line.annotate(tmp_path / GBK).code == 2


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "gbk"},
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0"},
    ],
    ids=str,
)
def test_output_is_utf8_whatever_the_surroundings(tmp_path: Path, environment: dict[str, str]) -> None:
    """What goes into a pipe is UTF-8, entities, records and corpora; help and errors end as they always do."""
    note = tmp_path / "病历.txt"
    note.write_text("患者胸痛😀。", encoding="utf-8")
    ended = _run(annotate_program(note), environment)
    assert (ended.returncode, "临床表现: 胸痛" in ended.stdout.decode()) == (0, True)
    ended = _run(annotate_program("--text", "患者胸痛😀。", "--json"), environment)
    assert json.loads(ended.stdout)["text"] == "患者胸痛😀。"
    assert _run(program("convert", note, "--to", "jsonl"), environment).stdout.decode().count("😀") == 1
    assert _run(annotate_program(tmp_path / "没有"), environment).returncode == 2


def test_a_text_in_gbk_from_the_terminal_is_read(tmp_path: Path) -> None:
    """The bytes of --text are decoded as those of a file; a name that is no text is an error in one line."""
    ended = _run(annotate_program("--text", os.fsdecode("患者反复胸痛三天，既往高血压。".encode("gbk"))))
    assert (ended.returncode, "胸痛" in ended.stdout.decode()) == (0, True)


def test_pipes_are_read_once(tmp_path: Path) -> None:
    """Standard input by its paths, a named pipe, the shell's pipes; each by annotate and by convert."""
    note = (CASES / "39-pipes" / "note.txt").read_bytes()
    for command in (annotate_program, lambda *words: program("convert", *words, "--to", "jsonl")):
        for place in ("-", "/dev/stdin", "/dev/fd/0"):
            ended = _run(command(place), stdin=note)
            assert (ended.returncode, "咳嗽" in ended.stdout.decode()) == (0, True), (place, ended.stderr)
    pipe = tmp_path / "f"
    os.mkfifo(pipe)
    for command in (annotate_program, lambda *words: program("convert", *words, "--to", "jsonl")):
        writer = threading.Thread(target=lambda: pipe.write_bytes(note))
        writer.start()
        ended = _run(command(pipe))
        writer.join()
        assert (ended.returncode, "咳嗽" in ended.stdout.decode()) == (0, True), ended.stderr
    shell = " ".join(annotate_program("$0"))
    script = f"{shell.replace('$0', f'<(cat {CASES}/39-pipes/note.txt)')} <(printf 胸痛。) --json"
    ended = _run(["bash", "-c", script])
    assert ended.returncode == 0, ended.stderr
    assert len({json.loads(one)["id"] for one in ended.stdout.splitlines()}) == 2
    with (CASES / "39-pipes" / "note.txt").open("rb") as file:
        ended = subprocess.run(annotate_program("/dev/stdin"), cwd=ROOT, stdin=file, capture_output=True, check=False)  # noqa: S603
    assert "咳嗽" in ended.stdout.decode()


@pytest.mark.parametrize("place", ["/dev/zero", "/dev/urandom", "/dev/null", "/dev/full"])
def test_devices_end_in_one_line(line: Line, place: str) -> None:
    """What has no end is refused, what is empty is said to be."""
    for ended in (line.annotate(place), line("convert", place, "--to", "jsonl")):
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert place in ended.err


def test_other_commands_refuse_pipes(line: Line, tmp_path: Path) -> None:
    """They read a file more than once; the way out is said."""
    gold, pipe = tmp_path / "gold.jsonl", tmp_path / "f"
    gold.write_text('{"id": "a", "text": "咳嗽"}\n', encoding="utf-8")
    os.mkfifo(pipe)
    for words in (("evaluate", gold, pipe), ("compare", gold, gold, pipe), ("evaluate", pipe, gold)):
        ended = line(*words)
        assert (ended.code, "is a pipe or a device" in ended.err) == (2, True)


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(tmp_path: Path, redirection: str) -> None:
    """A file is annotated into a file without any of them; a result that cannot be shown is an error."""
    note, out = tmp_path / "note.txt", tmp_path / "out.jsonl"
    note.write_text("胸痛。", encoding="utf-8")
    ended = _run(["bash", "-c", f"{' '.join(annotate_program(note, '-o', out))} {redirection}"])
    assert (ended.returncode, out.exists()) == (0, True), ended.stderr
    assert b"Traceback" not in ended.stderr
    ended = _run(["bash", "-c", f"{' '.join(annotate_program(note))} {redirection}"])
    assert ended.returncode == (3 if ">&-" in redirection.replace("2>&-", "") else 0)
    assert b"Traceback" not in ended.stderr
    assert _run(["bash", "-c", f"{' '.join(annotate_program('-'))} <&-"]).returncode == 2


def test_a_reader_that_goes_away_ends_the_command_quietly(tmp_path: Path) -> None:
    """`| head`: no traceback, no word; the exit code is that of a broken pipe."""
    note = tmp_path / "note.txt"
    note.write_text("".join(f"第{number}天胸痛。\n" * 5 for number in range(200)), encoding="utf-8")
    for command in (annotate_program(note), program("convert", note, "--to", "bio"), program("--help")):
        ended = _run(["bash", "-c", f"{' '.join(command)} | head -c 5 >/dev/null; exit ${{PIPESTATUS[0]}}"])
        assert ended.returncode in (0, 141)
        assert b"Broken pipe" not in ended.stderr
        assert b"Traceback" not in ended.stderr
        assert b"Exception" not in ended.stderr
    ended = _run(["bash", "-c", f"{' '.join(program('labels', 'list'))} > /dev/full"])
    assert (ended.returncode, ended.stderr.decode()) == (3, "medner: No space left on device\n")


@pytest.mark.parametrize("gaps_s", [(0.0,), (0.0, 0.01), (0.0, 0.01, 0.01), (0.0, 0.2, 0.2, 0.2)], ids=str)
def test_ctrl_c_once_twice_and_three_times(tmp_path: Path, gaps_s: tuple[float, ...]) -> None:
    """Each time: exit code 130, no traceback, finished sentences kept, nothing half written; the run goes on."""
    notes, out = tmp_path / "notes", tmp_path / "out.jsonl"
    journal = tmp_path / "out.jsonl.journal"
    notes.mkdir()
    (notes / "a.txt").write_text("".join(f"第{number}天胸痛。\n" for number in range(60)), encoding="utf-8")
    process = subprocess.Popen(  # noqa: S603  medner itself
        annotate_program(notes, "-o", out), cwd=ROOT, env={**os.environ, "KIT_DELAY": "0.3"}, stderr=subprocess.PIPE
    )
    try:
        patience = time.monotonic() + 60
        while not (journal.exists() and journal.stat().st_size > 3_000):
            assert time.monotonic() < patience
            time.sleep(0.02)
        for gap_s in gaps_s:
            time.sleep(gap_s)
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert b"Traceback" not in said
    assert b"Exception" not in said
    assert f"are kept in {journal}" in said.decode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "out.jsonl.journal"]
    assert _run(annotate_program(notes, "-o", out)).returncode == 0
    assert not journal.exists()


def test_the_script_runs_this_program() -> None:
    """`medner` itself is what these tests run, but for the engine."""
    ended = _run([sys.executable, "-m", "medner.service.cli", "--version"])
    assert ended.stdout.decode().startswith("medner ")
