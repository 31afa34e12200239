"""Which cores the processes of a comparison run on."""

from __future__ import annotations

import os
from pathlib import Path

_TOPOLOGY = Path("/sys/devices/system/cpu")


def cores() -> list[int]:
    """The logical processors that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def share_cores(threads: int) -> None:
    """Holds this process, and those that it starts, to as many cores as there are threads.

    A physical core is taken once before any sibling; with fewer cores than threads nothing changes.
    """
    allowed = cores()
    if threads >= len(allowed):
        return
    first_of_core: dict[str, int] = {}
    for processor in allowed:
        first_of_core.setdefault(_siblings(processor), processor)
    siblings = [processor for processor in allowed if processor not in first_of_core.values()]
    os.sched_setaffinity(0, [*first_of_core.values(), *siblings][:threads])


def _siblings(processor: int) -> str:
    try:
        return (_TOPOLOGY / f"cpu{processor}/topology/thread_siblings_list").read_text(encoding="ascii")
    except OSError:
        return str(processor)
