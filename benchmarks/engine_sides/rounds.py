"""Worker processes, a side each, and their rounds in turn."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WORKER = Path(__file__).parent / "worker.py"


@dataclass(frozen=True, slots=True)
class Order:
    """A side: its name, the interpreter that runs it, what it is started with.

    ``package`` is the folder that medner must be imported from, where that matters.
    """

    name: str
    python: str
    details: Mapping[str, Any]
    package: Path | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A side's runs with so many sentences at a time: each round's numbers, as the worker told them, and memory."""

    side: str
    at_a_time: int
    facts: Mapping[str, Any]
    runs: list[Mapping[str, float]] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)


def last_words(errors: Path) -> str:
    """The last line of a process's standard error that holds a word; empty when there is none."""
    lines = errors.read_text(encoding="utf-8", errors="replace").splitlines()
    words = (line.strip("│ \t") for line in reversed(lines) if any(map(str.isalnum, line)))
    return next(words, "")


def _environment() -> dict[str, str]:
    """The environment of a worker, which finds the modules beside it by the names they have here."""
    paths = [str(WORKER.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


class WorkerError(Exception):
    """A worker that could not start, or ended before its time; the message says why."""


class Worker:
    """A process that runs one side."""

    def __init__(self, order: Order, scratch: Path) -> None:
        self.name = order.name
        details = {**order.details, "sentences": str(scratch / "sentences.json")}
        command = [order.python, str(WORKER), json.dumps(details)]
        # A file, because a pipe that is read only at the end could fill up.
        self._errors = scratch / f"{order.name}.errors"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603  our own command
                command,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
            )
        try:
            answer = self._answer()
        except WorkerError:
            self.close()
            raise
        self.facts: dict[str, Any] = answer["ready"]
        imported = Path(self.facts.pop("package", "."))
        if order.package is not None and not imported.resolve().is_relative_to(order.package):
            self.close()
            raise WorkerError(f"{order.python} imports medner from {imported}, which is not in {order.package}")

    def run(self, at_a_time: int) -> dict[str, float]:
        """One run over all sentences."""
        numbers: dict[str, float] = self._asked(f"run {at_a_time}")
        return numbers

    def memory(self) -> dict[str, int]:
        """The worker's resident memory in bytes, at this moment and at most."""
        sizes: dict[str, int] = self._asked("memory")
        return sizes

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _asked(self, command: str) -> Any:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended: reading the answer says why
            print(command, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise WorkerError(last_words(self._errors) or f"the process ended with {code}")
        answer = json.loads(line)
        if "refused" in answer:
            raise WorkerError(answer["refused"])
        return answer


@contextmanager
def started(orders: Sequence[Order], scratch: Path) -> Iterator[list[Worker]]:
    """The workers of all sides that can run here, one loaded after another; says which are left out, and why."""
    workers: list[Worker] = []
    try:
        for order in orders:
            print(f"... loading {order.name}", flush=True)
            try:
                workers.append(Worker(order, scratch))
            except WorkerError as error:
                print(f"{order.name}: left out: {error}", flush=True)
        yield workers
    finally:
        for worker in workers:
            worker.close()


def measured_rounds(orders: Sequence[Order], scratch: Path, rounds: int, widths: Sequence[int]) -> list[Row]:
    """All sides by turns, each first in another round; one more round, the first, is not counted.

    A side that cannot go on is left out, and the reason printed.
    """
    with started(orders, scratch) as workers:
        rows = {worker.name: [Row(worker.name, width, worker.facts) for width in widths] for worker in workers}
        for number in range(rounds + 1 if workers else 0):
            first = number % max(len(workers), 1)
            for worker in [*workers[first:], *workers[:first]]:
                if worker.name not in rows:
                    continue
                try:
                    _run(worker, rows[worker.name], counted=number > 0)
                except WorkerError as error:
                    del rows[worker.name]
                    print(f"{worker.name}: left out: {error}", flush=True)
            print(f"... round {number} of {rounds}" if number else "... warmed up", flush=True)
    return sorted((row for several in rows.values() for row in several), key=lambda row: widths.index(row.at_a_time))


def _run(worker: Worker, rows: Sequence[Row], *, counted: bool) -> None:
    """A side's turn in a round: all sentences with each number at a time."""
    for row in rows:
        run = worker.run(row.at_a_time)
        if counted:
            row.runs.append(run)
        row.memory.update(worker.memory())
