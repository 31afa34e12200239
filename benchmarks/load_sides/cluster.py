"""What is under load: Redis, `medner serve`, workers and, where asked for, replicas of a vLLM server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from api_sides.processes import CONFIGURATION, SlowEngine, ready

from medner.service.build.pipeline import assembled_parts
from medner.service.config.frozen import thaw
from medner.service.config.options import Overrides, configured
from medner.service.worker.job_agents import JobPipeline, job_pipeline
from medner.store.jobs import JobSpec
from medner.store.models import base_model_folder
from medner.store.redis.embedded import EmbeddedValkey

COMMAND = (sys.executable, str(Path(__file__).parents[1] / "load.py"))
_MEDNER = (sys.executable, "-m", "medner.service.cli")
#: A worker that is killed is missed after this; its chunks are then done by another.
LEASE_S = 5.0
#: The symbol tagger on vLLM servers, whose addresses follow.
_SERVED = """\
taggers = ["symbol"]
filter = "off"

[judge]
kind = "best-tagger"

[engine]
kind = "vllm"
span_taggers = "local"
"""


@dataclass
class Cluster:
    """The processes: ``workers`` and ``replicas`` (of vLLM) can be killed and added while it runs."""

    folder: Path
    environment: dict[str, str]
    worker_command: tuple[str, ...]
    url: str = ""
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    replicas: list[subprocess.Popen[bytes]] = field(default_factory=list)
    replica_commands: list[tuple[tuple[str, ...], dict[str, str]]] = field(default_factory=list)

    def add_worker(self) -> None:
        """One more worker; returns when it has started."""
        process, log = self.start(f"worker-{len(self.workers)}", *self.worker_command)
        self.workers.append(process)
        ready(process, log)

    def kill_worker(self) -> None:
        """The oldest worker that lives, as a power cut would."""
        next(one for one in self.workers if one.poll() is None).send_signal(signal.SIGKILL)

    def kill_replica(self) -> None:
        """The first vLLM server, with all that it has started."""
        os.killpg(self.replicas[0].pid, signal.SIGKILL)

    def add_replica(self) -> None:
        """The first vLLM server once more, at the same address; medner takes it in when it is well."""
        command, environment = self.replica_commands[0]
        self.replicas[0], _ = self.start("replica-0-again", *command, more=environment)

    @property
    def alive(self) -> int:
        """How many workers live."""
        return sum(one.poll() is None for one in self.workers)

    def start(
        self, name: str, *command: str, more: dict[str, str] | None = None
    ) -> tuple[subprocess.Popen[bytes], Path]:
        """A process in a session of its own, and the file of its output."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            environment = {**self.environment, **(more or {})}
            process = subprocess.Popen(  # noqa: S603  ours
                command, env=environment, stdout=out, stderr=out, start_new_session=True
            )
        return process, log

    def stop(self) -> None:
        """Ends all processes, and what they have started."""
        every = [*self.workers, *self.replicas]
        for process in every:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in every:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def running(folder: Path, *, workers: int, delay_ms: float, vllm: str | None, replicas: int) -> Iterator[Cluster]:
    """All processes, with their data in a folder; ended at the end.

    Without ``vllm`` the model is a script in the workers that answers after ``delay_ms``.
    """
    configuration = folder / "medner.toml"
    valkey = EmbeddedValkey(folder / "redis")
    environment = {**os.environ, "MEDNER_TRACES": str(folder / "traces.sqlite"), "MEDNER_REDIS_URL": valkey.url}
    with ExitStack() as ending:
        valkey.ensure()
        ending.callback(valkey.stop)
        if vllm is None:
            environment["MEDNER_HOME"] = str(folder)
            worker = (*COMMAND, "--side", "worker", "--delay-ms", str(delay_ms))
        else:
            worker = (*_MEDNER, "worker", "--lease", str(LEASE_S))
        cluster = Cluster(folder, environment, worker)
        ending.callback(cluster.stop)
        if vllm is None:
            configuration.write_text(CONFIGURATION, encoding="utf-8")
        else:
            urls = _start_replicas(cluster, vllm, replicas)
            servers = "".join(f'\n[[engine.servers]]\nurl = "{url}"\n' for url in urls)
            configuration.write_text(_SERVED + servers, encoding="utf-8")
        serve, log = cluster.start("serve", *_MEDNER, "serve", "--port", "0", "--config", str(configuration))
        ending.callback(serve.wait)
        ending.callback(serve.terminate)
        cluster.url = ready(serve, log)
        for _ in range(workers):
            cluster.add_worker()
        yield cluster


def _start_replicas(cluster: Cluster, python: str, replicas: int) -> Sequence[str]:
    import socket
    import time

    from medner.service.vllm_servers.command import serve_commands
    from medner.service.vllm_servers.plan import Plan

    wanted = configured(Overrides(taggers="symbol", judge="best-tagger", filter="off"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    plan = Plan(port=port, python=python, replicas=replicas, threads=replicas)
    commands = serve_commands(wanted, base_model_folder(wanted.model), plan)
    for number, command in enumerate(commands):
        cluster.replica_commands.append((command.arguments, dict(command.environment)))
        process, _ = cluster.start(f"replica-{number}", *command.arguments, more=dict(command.environment))
        cluster.replicas.append(process)
    waiting, end = [command.url for command in commands], time.monotonic() + 900
    while waiting:
        if time.monotonic() > end or any(one.poll() is not None for one in cluster.replicas):
            raise SystemExit(f"a vLLM server did not start: {cluster.folder}/replica-*.log")
        time.sleep(1)
        waiting = [url for url in waiting if not _healthy(url)]
    return [command.url for command in commands]


def _healthy(url: str) -> bool:
    import httpx

    try:
        return bool(httpx.get(f"{url}/health", timeout=2, trust_env=False).is_success)
    except httpx.TransportError:
        return False


def worker(delay_ms: float) -> int:
    """A worker whose model is a script."""
    from medner.service.worker.logs import log_to
    from medner.service.worker.process import run_worker
    from medner.service.worker.worker import WorkerSettings
    from medner.store.redis import redis_address

    @asynccontextmanager
    async def opened(spec: JobSpec) -> AsyncIterator[JobPipeline]:
        engine = SlowEngine(delay_ms / 1_000)
        async with (
            assembled_parts(thaw(spec.configuration), engine_factory=lambda _: engine) as made,
            job_pipeline(made) as pipeline,
        ):
            yield pipeline

    log_to()
    return run_worker(WorkerSettings(lease_s=LEASE_S), address=redis_address(), open_annotator=opened)
