"""Runs the benchmark of benchmarks/engine_sides/: the local engine beside transformers, an encoder, and a checkout."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from engine_sides.command import main

    sys.exit(main())
