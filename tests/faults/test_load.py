"""The load test, as `make bench` runs it but smaller: a worker dies under jobs and requests, and nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LOAD = Path(__file__).parents[2] / "benchmarks/load.py"


@pytest.mark.faults
@pytest.mark.timeout(240)
def test_jobs_and_requests_together_lose_nothing(tmp_path: Path) -> None:
    """Saturation is found or said not to be; every sentence is there once; every request was answered."""
    few = ["--rate", "2", "--steps", "2", "--step-s", "2", "--mixed-s", "9", "--bound-ms", "20000"]
    done = subprocess.run(  # noqa: S603  ours
        [sys.executable, LOAD, *few, "--json", tmp_path / "load.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    numbers = json.loads((tmp_path / "load.json").read_text(encoding="utf-8"))
    assert numbers["mixed"]["lost"] == []
    assert numbers["mixed"]["requests"]["asked"] == numbers["mixed"]["requests"]["answered"] > 0
    assert set(numbers["mixed"]["jobs"]) == {"low", "normal", "high"}
    assert "a worker is killed" in done.stdout
    assert "a worker is added" in done.stdout
    assert "saturation: " in done.stdout
