"""`medner train tagger` in processes that are killed and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
from tests.loss_curves import curve
from tests.service.cli.train.tagger_kit import SETTINGS, place, tagger

__all__ = ["place"]


class Process:
    """`medner train tagger` in a process of its own, with a checkpoint after every step."""

    def __init__(self, place: Path, out: Path) -> None:
        arguments = ["tagger", "train.jsonl", "--base", "base", "-o", str(out), *SETTINGS]
        self._process = subprocess.Popen(  # noqa: S603
            [
                sys.executable,
                "-m",
                "medner.service.cli",
                "train",
                *arguments,
                "--epochs",
                "6",
                "--checkpoint-every",
                "0",
            ],
            cwd=place,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []

    def until_checkpoint(self, count: int) -> Process:
        """Reads until so many checkpoints are written."""
        while sum(line.startswith("checkpoint") for line in self.said) < count:
            line = self._stderr.readline()
            assert line, "".join(self.said)
            self.said.append(line)
        return self

    def ended(self, number: signal.Signals | None = None) -> int:
        """The exit code, after sending a signal."""
        if number is not None:
            self._process.send_signal(number)
        self.said += self._stderr.readlines()
        return self._process.wait()

    @property
    def _stderr(self):
        assert self._process.stderr is not None
        return self._process.stderr


@pytest.mark.timeout(900)  # two processes that load everything anew; slow where the machine is busy
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_and_a_stopped_run_go_on_with_the_same_curve(place: Path, tmp_path: Path) -> None:
    """Killed after a checkpoint, stopped, resumed: every step is there once, as in a run that was never broken.

    A stopped run (SIGTERM) exits with 130, leaves a usable adapter with its card, and says how to go on.
    """
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    killed = Process(place, broken).until_checkpoint(3)
    assert killed.ended(signal.SIGKILL) == -signal.SIGKILL
    # As after a kill in the middle of a line.
    with (broken / "loss.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"batch": 9999, "of"')
    stopped = Process(place, broken).until_checkpoint(3)
    assert stopped.ended(signal.SIGTERM) == 130
    assert "the same command goes on from " in "".join(stopped.said)
    assert "going on after batch" in "".join(stopped.said)
    assert 0 < len(curve(broken)) < 30
    card = tomllib.loads((broken / "adapter" / "card.toml").read_text(encoding="utf-8"))
    assert 0 < card["epochs"] < 6
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the processes: sums in another order differ in their last bits
    try:
        for out in (broken, whole):
            assert tagger(place, out, "--epochs", 6, "--checkpoint-every", 0).exit_code == 0
    finally:
        torch.set_num_threads(threads)
    assert len(curve(whole)) == 30
    assert curve(broken) == curve(whole)
    weights = "adapter/adapter_model.safetensors"
    assert (broken / weights).read_bytes() == (whole / weights).read_bytes()
