"""Running vLLM servers: started together, waited for, stopped together."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from medner.core.errors import ExternalError, UserError
from medner.service.vllm_servers.command import ServeCommand

_ASK_EVERY_S = 0.5
#: Servers finish what they hold within this, then they are killed.
_GRACE_S = 20.0
_TAIL = 12


@dataclass(slots=True)
class Serving:
    """A server that was started: its process, and the file its output goes to; None: where this process's goes."""

    command: ServeCommand
    process: subprocess.Popen[bytes]
    log: Path | None

    @property
    def ended(self) -> bool:
        """Whether its process is gone."""
        return self.process.poll() is not None

    def ready(self) -> bool:
        """Whether it answers its health check."""
        return _is_healthy(self.command) is True

    def tail(self) -> str:
        """The last lines of its output."""
        if self.log is None:
            return ""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-_TAIL:])

    def kill(self, kind: signal.Signals) -> None:
        """Sends a signal to the server and all it has started: vLLM's engine is a process of its own."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, kind)


@contextmanager
def serving(
    commands: Sequence[ServeCommand],
    logs: Path | None,
    *,
    patience_s: float = 900,
    in_turn: bool = False,
    on_wait: Callable[[Sequence[Serving], float], None] = lambda _, __: None,
) -> Iterator[list[Serving]]:
    """The servers, once all answer; stopped at the end, with all they have started.

    ``in_turn`` starts each when the one before it is ready: on a GPU each measures what is free.
    Their output goes to files in ``logs``, or where this process's goes (None).
    ``on_wait`` is called every half second with the servers and the seconds so far. ExternalError with the end of its
    output when a server dies or takes longer than ``patience_s``; UserError when a port is taken.
    """
    if logs is not None:
        logs.mkdir(parents=True, exist_ok=True)
    running: list[Serving] = []
    try:
        # One by one: what was started must be stopped when the next one fails.
        for command in commands:
            running.append(_start(command, None if logs is None else logs / f"{command.name}.log"))
            if in_turn:
                _wait(running, patience_s, on_wait)
        _wait(running, patience_s, on_wait)
        yield running
    finally:
        stop(running)


def stop(running: Sequence[Serving]) -> None:
    """Asks the servers to end, and kills what is left after a grace time."""
    for server in running:
        server.kill(signal.SIGTERM)
    end = time.monotonic() + _GRACE_S
    for server in running:
        with suppress(subprocess.TimeoutExpired):
            server.process.wait(max(0.1, end - time.monotonic()))
    for server in running:
        # Also where the server is gone: what it started may not be.
        server.kill(signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            server.process.wait(5)


def _start(command: ServeCommand, log: Path | None) -> Serving:
    if _is_healthy(command) is not None:
        raise UserError(f"{command.url}: something answers there already; choose another --port, or stop it")
    with nullcontext(None) if log is None else log.open("wb") as output:
        try:
            process = subprocess.Popen(  # noqa: S603  the command is ours
                command.arguments,
                env={**os.environ, **command.environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise UserError(
                f"{command.arguments[0]}: cannot be run: {error.strerror}; scripts/vllm_environment.sh makes an "
                "environment with vLLM, and --vllm names its Python"
            ) from error
    return Serving(command, process, log)


def _is_healthy(command: ServeCommand) -> bool | None:
    """Whether what answers at the server's address is well; None when nothing answers."""
    import httpx  # noqa: PLC0415  the command line imports this module for its help

    try:
        return bool(httpx.get(f"{command.url}/health", timeout=2, trust_env=False).is_success)
    except httpx.TransportError:
        return None


def _wait(running: Sequence[Serving], patience_s: float, on_wait: Callable[[Sequence[Serving], float], None]) -> None:
    began = time.monotonic()
    waiting = list(running)
    while waiting:
        for server in waiting:
            if server.ended:
                raise ExternalError(f"{server.command.url}: the server ended before it was ready:\n{server.tail()}")
        waiting = [server for server in waiting if not server.ready()]
        seconds = time.monotonic() - began
        if waiting and seconds > patience_s:
            urls = ", ".join(server.command.url for server in waiting)
            raise ExternalError(f"{urls}: not ready after {seconds:.0f} s:\n{waiting[0].tail()}")
        on_wait(running, seconds)
        if waiting:
            time.sleep(_ASK_EVERY_S)
