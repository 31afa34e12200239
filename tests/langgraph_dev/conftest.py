"""A real `langgraph dev`, out of an environment of its own, behind a proxy that writes down who wants to go out."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.free_port import free_port
from tests.jobs_kit import wait_for

ROOT = Path(__file__).parents[2]

#: The command of docs/langgraph.md.
QUIET = {"LANGGRAPH_CLI_NO_ANALYTICS": "1"}
#: What a user of LangSmith may have set.
LANGSMITH = {
    "LANGSMITH_TRACING": "true",
    "LANGSMITH_TRACING_V2": "true",
    "LANGCHAIN_TRACING_V2": "true",
    "LANGSMITH_API_KEY": "lsv2_no_key",
    "LANGCHAIN_API_KEY": "lsv2_no_key",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs LangGraph's server, and time to start it."""
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.langgraph)


@dataclass
class Proxy:
    """Takes every connection that a program wants to make to another host, writes down where to, and makes none."""

    port: int
    asked: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What leads a program here."""
        url = f"http://127.0.0.1:{self.port}"
        names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        local = "127.0.0.1,localhost"
        return {**dict.fromkeys(names, url), "no_proxy": local, "NO_PROXY": local}


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = Proxy(listening.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    running.asked.append(connection.recv(4_096).split(b"\r\n")[0].decode("utf-8", "replace"))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield running
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.fixture(scope="session")
def langgraph() -> Path:
    """The command, out of the environment that scripts/langgraph_environment.sh makes."""
    folder = os.environ.get("MEDNER_LANGGRAPH") or str(ROOT / ".venv-langgraph")
    program = Path(folder) / "bin" / "langgraph"
    if not program.is_file():
        pytest.skip(f"no LangGraph server at {program}: scripts/langgraph_environment.sh makes its environment")
    return program


Serving = Callable[..., Iterator[str]]


@pytest.fixture
def serving(langgraph: Path, proxy: Proxy, tmp_path: Path) -> Callable[..., object]:
    """Starts `langgraph dev` by a file and gives its address; it ends with the block."""

    @contextmanager
    def start(config: Path, variables: Mapping[str, str] = QUIET) -> Iterator[str]:
        port = free_port()
        command = [str(langgraph), "dev", "--no-browser", "--no-reload", "--allow-blocking"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LANG")}
        environment |= {"PYTHONUTF8": "1", **proxy.environment, **variables}
        log = tmp_path / "dev.log"
        with log.open("wb") as out:
            running = subprocess.Popen(  # noqa: S603
                [*command, "--port", str(port), "--config", str(config)],
                cwd=tmp_path,
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for(lambda: running.poll() is not None or is_up(port), patience_s=120)
            assert running.poll() is None, log.read_text(encoding="utf-8")
            yield f"http://127.0.0.1:{port}"
        finally:
            running.terminate()
            running.wait(30)

    return start


def is_up(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ok", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False
