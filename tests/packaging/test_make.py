"""The Makefile: its targets, and what it says where it cannot go on."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make here")

TARGETS = (
    "setup",
    "model",
    "demo",
    "test",
    "test-fast",
    "test-browser",
    "test-vllm",
    "test-gpu",
    "test-label-studio",
    "test-clusters",
    "test-langgraph",
    "test-doors",
    "test-faults",
    "check",
    "docs",
    "bench",
    "clean",
)


def _make(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        ["make", "--no-print-directory", *arguments],  # noqa: S607
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_explains_every_target(root: Path) -> None:
    """`make` alone lists the targets."""
    listed = [line.split()[0] for line in _make(root).stdout.splitlines()]
    assert sorted(listed) == sorted((*TARGETS, "help"))


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_begins_with_its_own_set_up(target: str, root: Path, tmp_path: Path) -> None:
    """On a fresh machine every target that runs something makes the environment first."""
    done = _make(root, "-n", target, f"VENV={tmp_path}/fresh")
    assert done.returncode == 0
    if target != "clean":
        assert done.stdout.index("-m venv") < done.stdout.index("pip") < len(done.stdout)
        assert "'.[local]'" in done.stdout


def test_a_missing_interpreter_is_named(root: Path, tmp_path: Path) -> None:
    """Where there is no such Python, the message says which one to name."""
    done = _make(root, "setup", f"VENV={tmp_path}/fresh", "PYTHON=no-such-python")
    assert done.returncode != 0
    assert "no no-such-python here" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_an_old_interpreter_is_refused(root: Path, tmp_path: Path) -> None:
    """A Python before 3.11 is refused before anything is installed."""
    old = tmp_path / "old-python"
    program = "import sys; sys.version_info = (3, 9, 0); exec(sys.argv[1])"
    old.write_text(f'#!/bin/sh\nexec python3 -c "{program}" "$2"\n', encoding="utf-8")
    old.chmod(0o755)
    done = _make(root, "setup", f"VENV={tmp_path}/fresh", f"PYTHON={old}")
    assert done.returncode != 0
    assert re.search(r"is Python 3\.9, and 3\.11 or newer is needed", done.stderr)
    assert not (tmp_path / "fresh").exists()
