"""Shared by the tests of jobs: a Valkey of its own, hand-written documents, and a worker in a process of its own.

As a program, this file is that worker: its agents answer by what stands in a sentence, so that a test can say which
sentence fails how.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from medner.agents.engines.engine import Completion, Request
from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.strategies import CODECS
from medner.core.errors import ExternalError, ModelOutputError
from medner.core.labels import load_label_set
from medner.core.records import AnnotatedDocument, Document, Entity
from medner.graph import Pipeline
from medner.service.build.pipeline import build_deps
from medner.service.config.configuration import Configuration
from medner.service.config.fingerprint import fingerprint
from medner.service.config.frozen import freeze, thaw
from medner.service.config.options import Overrides, configured
from medner.store.jobs import Jobs, JobSpec, JobView
from medner.store.redis.address import RedisAddress
from medner.store.redis.connection import new_client
from medner.store.redis.embedded import EmbeddedValkey

LABELS = load_label_set("cmeee-v2")
WORD = "咳嗽"
#: In a sentence, these make its taggers fail in a way of their own.
RAISES, HANGS, UNUSABLE, AWAY, KILLS = "毒一", "毒二", "毒三", "服务器", "毒五"


def configuration() -> Configuration:
    """Two taggers without adapters and a judge without a model."""
    return configured(Overrides(taggers="html:full,json:plain", judge="hard-vote"))


def spec(**settings: Any) -> JobSpec:
    """A job's specification for the scripted worker; ``settings`` change it."""
    usual = configuration()
    given = {"chunk_sentences": 8, "backoff_s": 0.05, "sentence_timeout_s": 5.0, **settings}
    return JobSpec(configuration=freeze(usual), fingerprint=fingerprint(usual), medner="test", **given)


def documents(count: int, *, sentences: int = 4) -> list[Document]:
    """Notes of a few sentences, all different, every third sentence with a symptom in it."""
    return [
        Document(
            f"病历{number}",
            "".join(f"患者{number}第{at}天{WORD if (number + at) % 3 == 0 else '好转'}。\n" for at in range(sentences)),
        )
        for number in range(count)
    ]


def expected(given: list[Document]) -> dict[str, list[tuple[int, int]]]:
    """Where each document's symptoms stand."""
    return {
        one.id: [(at, at + len(WORD)) for at in range(len(one.text)) if one.text.startswith(WORD, at)] for one in given
    }


def found(result: list[AnnotatedDocument]) -> dict[str, list[tuple[int, int]]]:
    """Where the results' entities stand."""
    return {one.document.id: [(entity.start, entity.end) for entity in one.entities] for one in result}


@contextmanager
def valkey(folder: Path) -> Iterator[RedisAddress]:
    """A running server of a folder."""
    server = EmbeddedValkey(folder)
    server.ensure()
    try:
        yield RedisAddress(server.url, "the test's Valkey", server)
    finally:
        server.stop()


@asynccontextmanager
async def jobs_of(address: RedisAddress) -> AsyncIterator[Jobs]:
    """The jobs of a server."""
    client = new_client(address)
    try:
        yield Jobs(client)
    finally:
        await client.aclose()


async def until_ended(jobs: Jobs, job: str, *, patience_s: float = 60) -> JobView:
    """The job's last view. Fails when it does not end."""
    async with asyncio.timeout(patience_s):
        async for view in jobs.watch(job, every_s=0.05):
            last = view
    return last


#: Workers are forked from a process that has imported everything: to import takes longer than most of what is tested.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.jobs_kit", "tests.judges_kit", "medner.service.worker.worker"])


def _become(program: str, environment: dict[str, str], log: str) -> None:
    """Makes a forked process what a started one would be, and runs it."""
    os.environ.update(environment)
    os.chdir(Path(__file__).parents[1])
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115  as long as the process
    sys.exit(import_module(program).main())


class Forked:
    """A forked process, with the verbs of :class:`subprocess.Popen`."""

    def __init__(self, program: str, environment: dict[str, str], log: Path) -> None:
        self._process = _FORKS.Process(target=_become, args=(program, environment, str(log)), daemon=True)
        self._process.start()

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless it has ended."""
        if self._process.is_alive() and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout_s: float) -> int:
        """Its exit code. Fails when it does not end."""
        self._process.join(timeout_s)
        assert self._process.exitcode is not None, "the worker did not end"
        return self._process.exitcode


@dataclass
class WorkerProcess:
    """A scripted worker in a process of its own."""

    folder: Path
    log: Path
    lease_s: float = 2.0
    delay_s: float = 0.0
    environment: dict[str, str] = field(default_factory=dict)
    program: str = "tests.jobs_kit"
    process: Forked | None = None
    starts: int = 0

    def start(self) -> WorkerProcess:
        """Starts it; it needs a second or two until it works."""
        settings = {"KIT_FOLDER": str(self.folder), "KIT_LEASE": str(self.lease_s), "KIT_DELAY": str(self.delay_s)}
        self.starts += 1
        self.log.touch()
        self.process = Forked(self.program, {"OMP_NUM_THREADS": "1", **settings, **self.environment}, self.log)
        return self

    def signal(self, number: int) -> None:
        """Sends it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self, timeout_s: float = 30) -> int:
        """Its exit code."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def stop(self) -> None:
        """Ends it whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)
                self.process.kill()
            self.process.wait(10)


@contextmanager
def workers(count: int, address: RedisAddress, logs: Path, **settings: Any) -> Iterator[list[WorkerProcess]]:
    """Workers on a server, ended at the end."""
    assert address.embedded is not None
    running = [
        WorkerProcess(address.embedded.folder, logs / f"worker{number}.log", **settings) for number in range(count)
    ]
    try:
        for one in running:
            one.start()
        yield running
    finally:
        for one in running:
            one.stop()


class KitEngine(ScriptedEngine):
    """Finds one word, after a delay; fails as the sentence says. ``away`` is a file: while it is there, no answer."""

    def __init__(self, delay_s: float = 0.0, away: Path | None = None) -> None:
        super().__init__(_answer)
        self._delay_s = delay_s
        self._away = away

    async def complete(self, request: Request) -> Completion:
        """The script's answer."""
        sentence = request.messages[-1].content
        if self._away is not None and self._away.exists():
            raise ExternalError("the server does not answer")
        if KILLS in sentence:
            os.kill(os.getpid(), signal.SIGKILL)
        if HANGS in sentence:
            await asyncio.Event().wait()
        await asyncio.sleep(self._delay_s)
        return await super().complete(request)


def _answer(request: Request) -> str | Exception:
    system, sentence = request.messages[0].content, request.messages[-1].content
    if RAISES in sentence:
        return RuntimeError(f"cannot do: {sentence}")
    if UNUSABLE in sentence:
        return ModelOutputError("the answer cannot be used", raw="???")
    if AWAY in sentence:
        return ExternalError("this sentence breaks the server")
    strategy = next(name for name, codec in CODECS.items() if codec.instruction in system)
    places = [at for at in range(len(sentence)) if sentence.startswith(WORD, at)]
    return CODECS[strategy].encode(sentence, [Entity(at, at + len(WORD), "sym") for at in places], LABELS)


def open_scripted(delay_s: float = 0.0, away: Path | None = None) -> Any:
    """How a worker with these agents opens a job's."""

    @asynccontextmanager
    async def opened(given: JobSpec) -> AsyncIterator[Pipeline]:
        yield Pipeline(build_deps(thaw(given.configuration), KitEngine(delay_s, away)))

    return opened


def main() -> int:
    """A worker as the environment says."""
    from medner.service.worker.logs import log_to
    from medner.service.worker.process import run_worker
    from medner.service.worker.worker import WorkerSettings

    log_to()
    server = EmbeddedValkey(Path(os.environ["KIT_FOLDER"]))
    away = os.environ.get("KIT_AWAY")
    settings = WorkerSettings(concurrency=4, lease_s=float(os.environ["KIT_LEASE"]), grace_s=5)
    return run_worker(
        settings,
        address=RedisAddress(server.url, "it", server),
        open_annotator=open_scripted(float(os.environ["KIT_DELAY"]), Path(away) if away else None),
    )


def wait_for(condition: Any, *, patience_s: float = 30) -> None:
    """Until the condition holds."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
