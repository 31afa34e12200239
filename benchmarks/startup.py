"""How long the first answer takes: `import medner`, `medner --help`, `medner annotate --help`, each in a new process.

    python benchmarks/startup.py                                     # beside an empty Python and an import of typer
    python benchmarks/startup.py --baseline-python OTHER/bin/python  # beside another installation, in the same run

The commands take turns in rounds, so that a machine that slows down slows all of them. Medians are told: seconds of
wall time and of processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

HELP = "import sys; from medner.service.cli.app import main; sys.exit(main({words!r}))"
CODE = {
    "python": "pass",
    "import typer": "import typer",
    "import medner": "import medner",
    "medner --help": HELP.format(words=["--help"]),
    "medner annotate --help": HELP.format(words=["annotate", "--help"]),
}


def seconds(python: str, code: str) -> tuple[float, float]:
    """Wall time and processor time of one new process that runs ``code``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(  # noqa: S603  the interpreter the caller named
        [python, "-c", code],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TERM": "dumb"},
        cwd=Path(__file__).parent,
    )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(pythons: dict[str, str], rounds: int) -> list[dict[str, object]]:
    """A row for every side and command: medians over the rounds, after one that warms the disk cache."""
    times: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number in range(rounds + 1):
        for side, python in pythons.items():
            for name, code in CODE.items():
                measured = seconds(python, code)
                if number:
                    times.setdefault((side, name), []).append(measured)
    return [
        {
            "side": side,
            "command": name,
            "wall_s": round(statistics.median(wall for wall, _ in all_rounds), 3),
            "processor_s": round(statistics.median(work for _, work in all_rounds), 3),
        }
        for (side, name), all_rounds in times.items()
    ]


def main() -> None:
    """Measures and prints; with a baseline also the ratio of each command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--baseline-python", help="the Python of another installation of medner")
    parser.add_argument("--json", type=Path, help="write the numbers as JSON")
    options = parser.parse_args()
    pythons = {"medner": sys.executable}
    if options.baseline_python:
        pythons["baseline"] = options.baseline_python
    rows = measure(pythons, options.rounds)
    for row in rows:
        print(f"  {row['side']:<9} {row['command']:<24} {row['wall_s']:.3f} s  (processor {row['processor_s']:.3f} s)")
    if options.baseline_python:
        found = {(row["side"], row["command"]): float(str(row["wall_s"])) for row in rows}
        for name in CODE:
            print(f"  {name}: baseline / medner {found['baseline', name] / found['medner', name]:.2f}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
