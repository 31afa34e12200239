"""`medner traces --server` and `medner judges --server`: the same output as on the server's own machine."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tests.service.cli.remote.conftest import Commands

#: A reconstructed trace has times in milliseconds, and no threshold of a filter.
SECONDS = re.compile(r"\d+\.\d+ (ms|s)\b")


@pytest.fixture
def job(commands: Commands, notes: Path) -> str:
    """An ended job with one conflict, whose trace is written."""
    code, out, err = commands.there("submit", notes, option="--to")
    assert code == 0, err
    job = out.strip()
    assert commands.there("jobs", "watch", job)[0] == 0
    end = time.monotonic() + 60
    while job not in commands.here("traces", "list")[1] or "二" not in commands.here("traces", "list", job)[1]:
        assert time.monotonic() < end, "no trace was written"
        time.sleep(0.1)
    return job


def test_reading_traces(commands: Commands, job: str) -> None:
    """Runs, sentences, a sentence's path, agreement, export: word for word."""
    for words in (
        ("list",),
        ("list", job),
        ("list", job, "--json"),
        ("agreement", job),
        ("agreement", job, "--json"),
        ("agreement", "--job", job),
        ("export", job),
        ("export", job, "--what", "decisions"),
    ):
        here, there = commands.here("traces", *words), commands.there("traces", *words)
        assert there[:2] == here[:2], (words, there[2])
        assert here[0] == 0, here[2]
    for words in (("show", f"{job}/1"), ("show", f"{job}/1", "--full")):
        here, there = commands.here("traces", *words), commands.there("traces", *words)
        assert SECONDS.sub("T", there[1]) == SECONDS.sub("T", here[1]), words
    known, told = (
        json.loads(run("traces", "show", f"{job}/1", "--json")[1]) for run in (commands.here, commands.there)
    )
    assert told.keys() == known.keys()
    assert told["checkpoints"] == known["checkpoints"]
    for key in ("sentence", "entities", "conflicts", "failures"):
        assert told["annotation"][key] == known["annotation"][key]


def test_forks_and_decisions(commands: Commands, job: str, tmp_path: Path) -> None:
    """A fork, its differences with gold, a person's decision in the export, the end of both runs."""
    code, out, err = commands.there("traces", "fork", job, "--judge", "best-tagger:json-plain")
    assert code == 0, err
    fork = out.strip()
    assert f"1 sentences settled again; medner traces diff {job} {fork}" in err
    gold = tmp_path / "gold.jsonl"
    entity = {"start": 1, "end": 4, "label": "pro"}
    gold.write_text(json.dumps({"id": "二", "text": "行心电图检查。\n", "entities": [entity]}) + "\n", "utf-8")
    for words in ((), ("--json",), ("--gold", gold, "--resamples", 100)):
        here, there = (run("traces", "diff", job, fork, *words) for run in (commands.here, commands.there))
        assert there[0] == here[0] == 0, there[2]
        assert SECONDS.sub("T", there[1]) == SECONDS.sub("T", here[1])
    trace = f"{job}/1"
    code, _, err = commands.there(
        "traces", "overrule", trace, "--conflict", "c0", "--keep", "1", "--by", "ward-7", "--why", "检查"
    )
    assert code == 0, err
    assert "c0 decided; the sentence now has 1 entities" in err
    for what in ("results", "decisions"):
        export = ("traces", "export", job, "--what", what)
        assert commands.there(*export)[1] == commands.here(*export)[1]
    results = tmp_path / "results.jsonl"
    assert commands.there("jobs", "results", job, "-o", results)[0] == 0
    code, out, err = commands.there("traces", "export", job, "--results", results)
    assert (code, out) == commands.here("traces", "export", job, "--results", results)[:2], err
    assert '"human"' in out
    code, _, err = commands.there("traces", "remove", fork, job)
    assert (code, err) == (0, f"{fork}: 1 traces removed\n{job}: 1 traces removed\n")


def test_what_is_wrong(commands: Commands, job: str, tmp_path: Path) -> None:
    """Unknown names, options of this machine, another reviewer's name: one line each."""
    for words, code, said in (
        (("traces", "show", "nope/1"), 2, "there is no run 'nope'"),
        (("traces", "show", f"{job}/9"), 2, "has no trace of sentence '9'"),
        (("traces", "list", "--traces", tmp_path / "x"), 2, "--traces: names a place of this machine"),
        (("traces", "agreement", "--results", tmp_path / "x"), 2, "--results: is a file of this machine"),
        (("traces", "remove"), 2, "name runs, or --older-than DAYS"),
        (("traces", "fork", job, "--judge", "no-such"), 2, "judge: 'no-such' is none"),
        (("judges", "show", "nobody"), 2, "there is no judge 'nobody'"),
        (("judges", "use", "nobody"), 2, "no judge 'nobody'"),
        (("judges", "use", "x", "--by", "me"), 2, "--by: is not for a medner server"),
    ):
        found = commands.there(*words)
        assert (found[0], found[1]) == (code, ""), words
        assert said in found[2]
        assert found[2].count("\n") == 1


def test_judges(commands: Commands) -> None:
    """Defined, shown, tested, put in place, brought back, listed, removed: with the words of the local commands."""
    add = ("judges", "add", "vote", "--judge", "hard-vote")
    code, _, err = commands.there(*add, key_option="--server-key-env")
    assert (code, err) == (0, "judge vote, revision 1: hard-vote\n")
    code, _, err = commands.there(
        "judges", "add", "best", "--judge", "best-tagger:json-plain", key_option="--server-key-env"
    )
    assert code == 0, err
    tests = [SECONDS.sub("T", run("judges", "test", "vote")[1]) for run in (commands.here, commands.there)]
    assert tests[0] == tests[1]
    code, _, err = commands.there("judges", "use", "vote", "--why", "a rule to begin with", "--wait", "0")
    assert code in (0, 1), err
    assert err.startswith("version 1: vote (")
    assert commands.there("judges", "use", "best", "--wait", "0", "--force")[2].startswith("version 2: best")
    assert commands.there("judges", "use", "--back-to", "1", "--wait", "0")[2].startswith("version 3: vote")
    for words in (("list",), ("history",), ("show", "best"), ("show", "best", "--json")):
        here, there = commands.here("judges", *words), commands.there("judges", *words)
        assert there[:2] == here[:2], words
    for words in (("list", "--json"), ("history", "--json")):
        known, told = (json.loads(run("judges", *words)[1]) for run in (commands.here, commands.there))
        if isinstance(told, dict):
            known, told = [known["in_place"]], [told["in_place"]]
        assert [{key: one[key] for key in each} for one, each in zip(known, told, strict=True)] == told
    code, _, err = commands.there("judges", "remove", "vote")
    assert (code, "in use" in err) == (2, True)
    assert commands.there("judges", "remove", "best")[::2] == (0, "removed: best\n")
