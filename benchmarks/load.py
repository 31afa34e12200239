"""Runs the benchmark of benchmarks/load_sides/: jobs and requests together, until the servers are full."""

from __future__ import annotations

from load_sides.command import main

if __name__ == "__main__":
    raise SystemExit(main())
