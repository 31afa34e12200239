"""The tutorial's commands and its Python run as a reader would type them, with the real model."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from medner.core.errors import UserError
from medner.store.models import ModelStore

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def _blocks(wanted: str) -> list[str]:
    return [block for language, block in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if language == wanted]


def test_the_python_of_the_tutorial_is_python() -> None:
    """Also where no model is there to run it."""
    for block in _blocks("python"):
        ast.parse(block)


@pytest.mark.model
@pytest.mark.timeout(900)
def test_the_tutorial_runs(tmp_path: Path) -> None:
    """Its shell blocks in one shell that stops at an error, then its Python; models run once, for the annotation."""
    try:
        ModelStore().path("qwen2.5-coder-0.5b-instruct")
    except UserError as error:
        pytest.skip(str(error))
    (tmp_path / "examples").symlink_to(ROOT / "examples", target_is_directory=True)
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "medner"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m medner.service.cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
        "MEDNER_TRACES": str(tmp_path / "traces.sqlite"),
        "PYTHONUTF8": "1",
    }

    def run(*line: str) -> str:
        done = subprocess.run(  # noqa: S603  our own page
            line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    shown = run("bash", "-euo", "pipefail", "-c", "\n".join(_blocks("sh")))
    assert "腹泻" in shown
    assert "settled otherwise" in shown
    assert "02-discharge 阿托伐他汀 dru 阿托伐他汀调脂" in run(sys.executable, "-c", "\n".join(_blocks("python")))
    assert (tmp_path / "notes.html").is_file()
