"""The server held against its own description by schemathesis: all checks, stateful too, with and without keys."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.http_kit import environment, served, working

pytest.importorskip("schemathesis")

#: So few that both runs take about a minute on an idle machine.
_EXAMPLES = 4


def _held_against(url: str, home: Path, options: Sequence[str]) -> None:
    """Fails where an answer is not as the description says. All that it keeps of a run goes to the data folder."""
    done = subprocess.run(  # noqa: S603  the tool that is tested with
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{url}/v1/openapi.json",
            "--checks=all",
            f"--max-examples={_EXAMPLES}",
            "--seed=1",
            "--workers=1",  # threads of it break CPython's parser now and then
            "--no-color",
            "--warnings=off",
            *options,
        ],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]


def test_no_answer_is_against_the_description_without_keys(tmp_path: Path) -> None:
    """Whatever is asked, status, media type and body are described ones, and nothing asks for a key."""
    with served(tmp_path / "home") as running, working(running.home):
        _held_against(running.url, running.home, ())


def test_no_answer_is_against_the_description_with_keys(tmp_path: Path) -> None:
    """The same with a key; without one every operation that needs it is refused."""
    home = tmp_path / "home"
    home.mkdir()
    made = subprocess.run(
        [sys.executable, "-m", "medner.service.cli", "serve", "keys", "add", "tester"],
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    with served(home) as running, working(home):
        key = f"Authorization: Bearer {made.stdout.strip()}"
        _held_against(running.url, home, ("--header", key))
