"""How much memory is free, and amounts of it in words."""

from __future__ import annotations

import os
from pathlib import Path


def free_memory(meminfo: Path = Path("/proc/meminfo"), limits: Path = Path("/sys/fs/cgroup")) -> float | None:
    """The bytes that this process may still take of the computer's memory; None where it is not known."""
    known = [value for value in (_machine(meminfo), _group(limits)) if value is not None]
    return min(known) if known else None


def in_gb(value: float) -> str:
    """Bytes in units of 10^9."""
    return f"{value / 1e9:.1f} GB"


def _machine(meminfo: Path) -> float | None:
    try:
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass  # another system; the next way may work
    names = getattr(os, "sysconf_names", {})
    if "SC_AVPHYS_PAGES" in names:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return None


def _group(limits: Path) -> float | None:
    """What the limit of a container leaves; file pages count as free, because they can be dropped."""
    try:
        most = float((limits / "memory.max").read_text(encoding="ascii"))
        used = float((limits / "memory.current").read_text(encoding="ascii"))
        facts = dict(line.split() for line in (limits / "memory.stat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):
        return None  # no limit ("max"), or no control groups
    return most - used + float(facts.get("inactive_file", 0))
