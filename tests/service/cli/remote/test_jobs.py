"""`medner submit --to` and `medner jobs --server`: the same output as on the server's own machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.service.cli.remote.conftest import Commands


@pytest.fixture
def job(commands: Commands, notes: Path) -> str:
    """A job that was submitted over HTTP and has ended."""
    code, out, err = commands.there("submit", notes, "--name", "病房7", "--priority", "low", option="--to")
    assert code == 0, err
    assert "2 documents, 3 sentences" in err
    code, watched, err = commands.there("jobs", "watch", out.strip())
    assert (code, watched) == (0, "completed: 3 sentences, 3 entities\n"), err
    return out.strip()


def test_the_output_is_the_same(commands: Commands, job: str, tmp_path: Path) -> None:
    """Lists, views, results: word for word, but for what a server does not tell of its machine."""
    for words in (
        ("list",),
        ("results", job),
        ("results", "last"),
        ("dead", job),
        ("watch", job),
    ):
        here, there = commands.here("jobs", *words), commands.there("jobs", *words)
        assert there[:2] == here[:2], words
    shown_here, shown_there = (run("jobs", "show", job)[1].splitlines() for run in (commands.here, commands.there))
    assert set(shown_there) - set(shown_here) == {"results       on the server", "documents     2"}
    assert [line.split()[0] for line in shown_there] == [line.split()[0] for line in shown_here]
    out = tmp_path / "out.jsonl"
    assert commands.there("jobs", "results", job, "-o", out)[0] == 0
    assert out.read_text(encoding="utf-8") == commands.here("jobs", "results", job)[1]


def test_json_has_the_same_keys(commands: Commands, job: str) -> None:
    """What the server tells has the names and values of the local JSON."""
    for words in (("list", "--json"), ("show", job, "--json")):
        here, there = (json.loads(run("jobs", *words)[1]) for run in (commands.here, commands.there))
        first = (here["jobs"][0], there["jobs"][0]) if "jobs" in here else (here, there)
        told, known = first[1], first[0]
        for key, value in told.items():
            if key == "spec":
                spec = {name: known["spec"][name] for name in value if name != "configuration"}
                assert spec == {name: one for name, one in value.items() if name != "configuration"}
            elif key.endswith("_s"):
                assert value == pytest.approx(known[key], abs=0.01)
            elif key == "counts":
                assert {name: known[key][name] for name in value if not name.startswith("chunks")} == {
                    name: one for name, one in value.items() if not name.startswith("chunks")
                }
            else:
                assert value == known[key], key


def test_cancel_replay_delete(commands: Commands, job: str, notes: Path) -> None:
    """The verbs that change a job, and what they say."""
    assert commands.there("jobs", "replay", job)[:2] == (0, "nothing is left to do\n")
    assert commands.there("jobs", "cancel", job)[:2] == (0, "completed: 3 sentences, 3 entities\n")
    assert commands.there("jobs", "delete", job)[:2] == (0, f"deleted: {job}\n")
    code, _, err = commands.there("jobs", "show", job)
    assert code == 2
    assert f"no job '{job}'" in err
    first = commands.there("submit", notes, "--key", "nightly", "--json", option="--to")
    again = commands.there("submit", notes, "--key", "nightly", "--json", option="--to")
    assert json.loads(first[1])["created"] is True
    assert json.loads(again[1])["created"] is False
    assert json.loads(first[1])["id"] == json.loads(again[1])["id"]


def test_what_a_server_cannot_do(commands: Commands, notes: Path, tmp_path: Path) -> None:
    """Options that only the server's own configuration may have are refused by name; nothing is sent."""
    for option, value in (
        ("--results", tmp_path / "out"),
        ("--config", tmp_path / "x.toml"),
        ("--model", "x"),
        ("--max-chars", 64),
        ("--chunk", 8),
        ("--time-limit", 9),
        ("--server", "http://127.0.0.1:8101"),
        ("--parts", "parquet"),
    ):
        code, out, err = commands.there("submit", notes, option, value, option="--to")
        assert (code, out, err) == (
            2,
            "",
            f"medner: {option}: is not for a medner server; leave it or --to out\n",
        )
    code, _, err = commands.there("jobs", "server", "--stop")
    assert (code, err) == (2, "medner: --stop: is not for a medner server; leave it or --server out\n")


def test_the_server_and_the_key(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it answers; without the key, with a wrong one, with a variable that is not set: one line each."""
    code, out, _ = commands.there("jobs", "server")
    assert code == 0
    assert out.startswith(f"{commands.server.url}: answers; medner ")
    code, _, err = commands.here("jobs", "list", "--server", commands.server.url)
    assert code == 2
    assert err == (
        f"medner: {commands.server.url}: this server asks for a key; name the environment variable that holds it: "
        "--key-env NAME (medner serve keys add NAME makes one)\n"
    )
    code, _, err = commands.here("jobs", "list", "--server", commands.server.url, "--key-env", "NO_SUCH_KEY")
    assert (code, "NO_SUCH_KEY: this environment variable is not set" in err) == (2, True)
    code, _, err = commands.here("jobs", "list", "--key-env", "WARD_KEY")
    assert (code, "name the server too: --server URL" in err) == (2, True)
    code, _, err = commands.here("jobs", "list", "--server", "http://127.0.0.1:9")
    assert (code, "cannot be reached" in err, err.count("\n")) == (3, True, 1)
