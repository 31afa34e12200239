"""Shared by the tests that start `medner serve`: its process, and a worker that annotates by a small dictionary.

As a program, this file is that worker.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from medner.agents.engines.scripted import ScriptedEngine
from medner.service.build.pipeline import assembled_parts
from medner.service.config.frozen import thaw
from medner.service.worker.job_agents import JobPipeline, job_pipeline
from medner.store.jobs import JobSpec
from medner.store.redis.address import RedisAddress
from medner.store.redis.embedded import EmbeddedValkey
from tests.service.conftest import Kit

CONFIGURATION = """\
filter = "off"

[[taggers]]
name = "html-full"
strategy = "html"
style = "full"

[[taggers]]
name = "json-plain"
strategy = "json"
style = "plain"

[judge]
kind = "hard-vote"
"""


@dataclass(frozen=True)
class Served:
    """A running `medner serve`: its process, address, data folder and log."""

    process: subprocess.Popen[bytes]
    url: str
    home: Path
    log: Path


def environment(home: Path) -> dict[str, str]:
    """The environment of a process that uses a data folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEDNER_")}
    return {**kept, "MEDNER_HOME": str(home), "OMP_NUM_THREADS": "1"}


@contextmanager
def served(home: Path, *options: str, configuration: str = CONFIGURATION) -> Iterator[Served]:
    """`medner serve` on a free port, with a configuration the worker below can do. The server of jobs ends with it."""
    home.mkdir(exist_ok=True)
    file, log = home / "medner.toml", home / "serve.log"
    file.write_text(configuration, encoding="utf-8")
    command = [sys.executable, "-m", "medner.service.cli", "serve", "--port", "0", "--config", str(file)]
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603  our own command
            [*command, *options], env=environment(home), stderr=out, stdout=out, stdin=subprocess.DEVNULL
        )
    try:
        yield Served(process, _address(process, log), home, log)
    finally:
        process.kill()
        process.wait(10)
        EmbeddedValkey(home / "redis").stop()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines():
            if line.startswith("{") and json.loads(line)["message"] == "ready":
                return str(json.loads(line)["address"])
        time.sleep(0.05)
    raise AssertionError(f"medner serve did not start: {log.read_text(encoding='utf-8')}")


@contextmanager
def working(home: Path) -> Iterator[None]:
    """The worker below, while the block lasts."""
    with (home / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.http_kit"],
            cwd=Path(__file__).parents[1],
            env=environment(home),
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        yield
    finally:
        process.kill()
        process.wait(10)


#: A sentence with this word fails while the data folder has a file of this name.
POISON = "毒"


def _poisoned(strategy: str, sentence: str) -> Exception | None:
    if POISON in sentence and (Path(os.environ["MEDNER_HOME"]) / POISON).exists():
        return RuntimeError("this sentence cannot be read")
    return None


@asynccontextmanager
async def _open(spec: JobSpec) -> AsyncIterator[JobPipeline]:
    configuration = thaw(spec.configuration)
    engine = ScriptedEngine(Kit(before=_poisoned).answer)
    async with assembled_parts(configuration, engine_factory=lambda _: engine) as made, job_pipeline(made) as pipeline:
        yield pipeline


def main() -> int:
    """A worker of the data folder's jobs."""
    from medner.service.worker.logs import log_to
    from medner.service.worker.process import run_worker
    from medner.service.worker.worker import WorkerSettings

    log_to()
    server = EmbeddedValkey(Path(os.environ["MEDNER_HOME"]) / "redis")
    settings = WorkerSettings(concurrency=4, lease_s=2.0, grace_s=5)
    return run_worker(settings, address=RedisAddress(server.url, "it", server), open_annotator=_open)


if __name__ == "__main__":
    sys.exit(main())
