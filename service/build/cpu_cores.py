"""How many threads a computation should take: one a physical core that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def physical_cores(cpus: Path = _CPUS, quota: Path = _QUOTA) -> int:
    """Physical cores this process may run on, at least 1: its affinity, without sibling threads, within its quota.

    Two threads on one core only wait for one another in matrix products.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = len({_siblings(cpus, cpu) for cpu in allowed})
    limit = _quota_cores(quota)
    return max(1, cores if limit is None else min(cores, limit))


def _siblings(cpus: Path, cpu: int) -> str:
    try:
        return (cpus / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text(encoding="ascii").strip()
    except OSError:
        return str(cpu)


def _quota_cores(quota: Path) -> int | None:
    try:
        share, period = quota.read_text(encoding="ascii").split()
        return None if share == "max" else max(1, round(int(share) / int(period)))
    except (OSError, ValueError):
        return None
