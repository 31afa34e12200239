"""docs/http.md is true, in both languages: its session runs, its tables are those of the code."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from medner.service.http.messages.problems import KINDS
from medner.service.http.openapi import description
from tests.http_kit import served, working

DOCS = Path(__file__).parents[3] / "docs"
ENGLISH, CHINESE = (DOCS.joinpath(name).read_text(encoding="utf-8") for name in ("http.md", "http.zh-CN.md"))
ADDRESS = "http://127.0.0.1:8080"


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs curl and bash")
def test_the_session_runs_as_it_stands(tmp_path: Path) -> None:
    """Every command of the session succeeds against a real server and worker, and the results hold the entities."""
    (block,) = re.findall(r"^```sh\n(.*?)^```", ENGLISH, re.DOTALL | re.MULTILINE)
    assert ADDRESS in block
    with served(tmp_path / "home") as running, working(running.home):
        script = "set -euo pipefail\n" + block.replace(ADDRESS, running.url)
        done = subprocess.run(  # noqa: S603  our own page
            ["bash", "-c", script],  # noqa: S607
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "event: end" in done.stdout
    assert '"text":"胸痛"' in done.stdout
    assert "心电图" in (tmp_path / "ward-7.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_every_request_is_in_the_table(page: str) -> None:
    """The table of requests names every path and method of the API, with every query key it reads."""
    rows = "\n".join(line for line in page.splitlines() if line.startswith("| `"))
    for path, methods in description()["paths"].items():
        for method, operation in methods.items():
            assert re.search(rf"{method.upper()}`?[^|]* {re.escape(path)}", rows), f"{method} {path}"
            names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
            assert all(name in page for name in names)


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_every_kind_of_problem_is_in_the_table(page: str) -> None:
    """The table of problems has each kind beside its status."""
    for name, kind in KINDS.items():
        assert re.search(rf"^\| {kind.status} \|.*`{name}`", page, re.MULTILINE), name
