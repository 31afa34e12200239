"""The public calls have the types that users' type checkers see."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("mypy")

ROOT = Path(__file__).parents[2]
SETTINGS = """
[mypy]
strict = true
follow_imports = silent
ignore_missing_imports = true
plugins = pydantic.mypy
mypy_path = {path}
"""


@pytest.mark.timeout(900)
def test_the_types_of_public_calls() -> None:
    """mypy, strict, on calls with the types they are said to give; wrong calls are errors."""
    here = ROOT / "build" / "public_types"  # a place that stays, so that mypy's cache does
    packages = here / "path" / "medner"
    shutil.rmtree(packages, ignore_errors=True)
    packages.mkdir(parents=True)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for name, folder in settings["tool"]["setuptools"]["package-dir"].items():
        if name.count(".") == 1:
            (packages / name.removeprefix("medner.")).symlink_to(ROOT / folder)
    for path in (ROOT / "medner").iterdir():
        if path.name != "__pycache__":
            (packages / path.name).symlink_to(path)
    (here / "mypy.ini").write_text(SETTINGS.format(path=packages.parent), encoding="utf-8")
    shutil.copy(ROOT / "tests" / "medner" / "typed_calls.py", here / "calls.py")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", "cache", "calls.py"],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
