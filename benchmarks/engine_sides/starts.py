"""How long ``medner annotate --text`` takes to its first line of output, in a new process each time."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine_sides.rounds import last_words
from medner.store.models import default_root

TEXT = "患者咳嗽三天，右下肺可闻及湿性啰音。"


@dataclass(frozen=True, slots=True)
class StartOrder:
    """A command: its side's name, the interpreter, further options of ``medner annotate``."""

    name: str
    python: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds to the first line and to the end, of the processor in all, the most resident bytes."""

    first_line_s: float
    end_s: float
    processor_s: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class StartRow:
    """All starts of a side, ``cold`` ones or warm ones."""

    name: str
    cold: bool
    starts: list[Start] = field(default_factory=list)


class StartError(Exception):
    """A command that failed; the message is its last line."""


def measured_starts(orders: Sequence[StartOrder], scratch: Path, rounds: int) -> list[StartRow]:
    """Cold and warm starts of all sides by turns; says which are left out, and why."""
    rows: dict[tuple[str, bool], StartRow] = {}
    failed: set[str] = set()
    for number in range(rounds):
        for order in orders:
            if order.name in failed:
                continue
            home = _empty_home(scratch / f"home-{number}-{order.name.replace(' ', '-')}")
            try:
                for cold in (True, False):
                    start = timed_start(order, home)
                    rows.setdefault((order.name, cold), StartRow(order.name, cold)).starts.append(start)
            except StartError as error:
                failed.add(order.name)
                print(f"{order.name}: no time to a first entity: {error}", flush=True)
        print(f"... starts {number + 1} of {rounds}", flush=True)
    return list(rows.values())


def timed_start(order: StartOrder, home: Path) -> Start:
    """One start with a data folder. StartError when the command fails."""
    command = [order.python, "-P", "-m", "medner.service.cli", "annotate", "--json", f"--text={TEXT}", *order.options]
    environment: Mapping[str, str] = {**os.environ, "MEDNER_HOME": str(home), "PYTHONUTF8": "1"}
    errors = home / "errors.txt"
    began = time.perf_counter()
    with errors.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603  our own command
            command, stdout=subprocess.PIPE, stderr=stream, stdin=subprocess.DEVNULL, env=environment
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        first = time.perf_counter() - began
        process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        end = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not line:
        raise StartError(last_words(errors) or f"it ended with {process.returncode}")
    return Start(first, end, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10)


def _empty_home(folder: Path) -> Path:
    """A data folder that holds nothing but the models."""
    folder.mkdir()
    if default_root().is_dir():
        (folder / "models").symlink_to(default_root().absolute(), target_is_directory=True)
    return folder
