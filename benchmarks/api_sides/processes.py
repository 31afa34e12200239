"""The processes of the measurement: `medner serve`, a worker, and an empty endpoint of the same framework."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from medner.agents.engines.engine import Completion, Request
from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.strategies import CODECS
from medner.core.labels import load_label_set
from medner.core.records import Entity
from medner.service.build.pipeline import assembled_parts
from medner.service.config.frozen import thaw
from medner.service.worker.job_agents import JobPipeline, job_pipeline
from medner.store.jobs import JobSpec
from medner.store.redis.address import RedisAddress
from medner.store.redis.embedded import EmbeddedValkey

COMMAND = (sys.executable, str(Path(__file__).parents[1] / "api.py"))
_LABELS = load_label_set("cmeee-v2")
_WORD = "咳嗽"
#: Two taggers that differ, and a judge that asks no model.
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
kind = "best-tagger"
tagger = "html-full"
"""


@dataclass(frozen=True, slots=True)
class Running:
    """What runs: where the API and the empty endpoint answer, and Redis."""

    url: str
    empty: str
    redis: RedisAddress


@contextmanager
def running(folder: Path, arguments: argparse.Namespace) -> Iterator[Running]:
    """All processes, with their data in a folder; ended at the end."""
    (folder / "medner.toml").write_text(CONFIGURATION, encoding="utf-8")
    valkey = EmbeddedValkey(folder / "redis")
    environment = {**os.environ, "MEDNER_TRACES": str(folder / "traces.sqlite")}
    if not arguments.real:
        environment["MEDNER_HOME"] = str(folder)
    environment["MEDNER_REDIS_URL"] = valkey.url
    with ExitStack() as ending:
        valkey.ensure()
        ending.callback(valkey.stop)

        def start(name: str, *command: str) -> str:
            """The address of a process that answers, "" for one that does not say one."""
            log = folder / f"{name}.log"
            with log.open("wb") as out:
                process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)  # noqa: S603
            ending.callback(process.wait)
            ending.callback(process.terminate)
            return ready(process, log)

        chosen = () if arguments.real else ("--config", str(folder / "medner.toml"))
        medner = (sys.executable, "-m", "medner.service.cli")
        url = start("serve", *medner, "serve", "--port", "0", *chosen)
        empty = start("empty", *COMMAND, "--side", "empty")
        if arguments.real:
            start("worker", *medner, "worker")
        else:
            start("worker", *COMMAND, "--side", "worker", "--delay-ms", str(arguments.delay_ms))
        yield Running(url, empty, RedisAddress(valkey.url, "the benchmark's Valkey", valkey))


def ready(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + 300
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines():
            if line.startswith("{") and json.loads(line).get("message") in ("ready", "started"):
                return str(json.loads(line).get("address", ""))
        time.sleep(0.05)
    raise SystemExit(f"a process did not start: {log.read_text(encoding='utf-8')[-2_000:]}")


class SlowEngine(ScriptedEngine):
    """A model that answers after a time; what it says depends on the strategy, so that there is a conflict."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(_answer)
        self._delay_s = delay_s

    async def complete(self, request: Request) -> Completion:
        """The answer."""
        await asyncio.sleep(self._delay_s)
        return await super().complete(request)


def _answer(request: Request) -> str:
    system, sentence = request.messages[0].content, request.messages[-1].content
    strategy = next(name for name, codec in CODECS.items() if codec.instruction in system)
    at = sentence.find(_WORD)
    start = at if strategy == "html" else at - 1
    entities = [] if at < 1 else [Entity(start, at + len(_WORD), "sym")]
    return CODECS[strategy].encode(sentence, entities, _LABELS)


def worker(arguments: argparse.Namespace) -> int:
    """A worker whose model is the one above."""
    from medner.service.worker.logs import log_to
    from medner.service.worker.process import run_worker
    from medner.service.worker.worker import WorkerSettings
    from medner.store.redis import redis_address

    @asynccontextmanager
    async def opened(spec: JobSpec) -> AsyncIterator[JobPipeline]:
        engine = SlowEngine(arguments.delay_ms / 1_000)
        async with (
            assembled_parts(thaw(spec.configuration), engine_factory=lambda _: engine) as made,
            job_pipeline(made) as pipeline,
        ):
            yield pipeline

    log_to()
    return run_worker(WorkerSettings(), address=redis_address(), open_annotator=opened)


def empty() -> int:
    """An endpoint that gives an empty object."""
    import socket

    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request as HttpRequest
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def nothing(_: HttpRequest) -> JSONResponse:
        return JSONResponse({})

    # As medner serve has it: see _bound there.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(256)
    place = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=[Route("/", nothing)]), log_config=None, access_log=False))
    print(json.dumps({"message": "ready", "address": place}), flush=True)
    server.run(sockets=[listening])
    return 0
