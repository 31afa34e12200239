"""A run folder: what a training run was told, its loss curve, and what it needs to go on after a kill.

::

    config.json    settings, what it was trained on, versions
    loss.jsonl     one line a step
    state.pt       the last checkpoint: optimiser, place in the data
    adapter/       the adapter, usable from the first checkpoint on
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from medner.core.errors import BadInputError, UserError
from medner.core.files.atomic import replacing_file

CONFIG, CURVE, STATE, ADAPTER = "config.json", "loss.jsonl", "state.pt", "adapter"


@dataclass(frozen=True, slots=True)
class Step:
    """Where a run is after an optimiser step: ``loss`` is the mean a token, ``rate`` the learning rate."""

    batch: int
    of: int
    loss: float
    seconds: float
    tokens: int
    rate: float


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What config.json tells besides the settings.

    ``task`` is what a run must have in common with one it resumes (data, labels ...), ``about`` is all else.
    """

    task: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


class RunFolder:
    """The files of one training run; nothing is written before :meth:`begin`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.adapter = path / ADAPTER

    def check(self, facts: Mapping[str, Any], *, free: Sequence[str] = ()) -> None:
        """UserError when the folder holds a run with other settings or another task, which could not be continued.

        ``facts`` holds the sections of config.json that must be the same; keys of ``free`` may differ. What the config
        does not tell, because an older version wrote it, is not compared.
        """
        kept = self.config() or {}
        unlike = sorted(
            key
            for section, values in _plain(facts).items()
            for key, value in kept.get(section, {}).items()
            if key not in free and value != values.get(key)
        )
        if unlike:
            raise UserError(f"{self.path} holds a run with other settings ({', '.join(unlike)}); choose another --out")

    def config(self) -> Mapping[str, Any] | None:
        """What config.json tells of a run that can be continued, or None. BadInputError when it cannot be read."""
        config = self.path / CONFIG
        if not (self.path / STATE).is_file() or not config.is_file():
            return None
        try:
            kept: dict[str, Any] = json.loads(config.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadInputError("is damaged; choose another --out", path=config) from error
        return kept

    def begin(self, config: Mapping[str, Any], *, done: int) -> None:
        """Writes the configuration, and cuts the loss curve to its first ``done`` batches, the checkpoint's place."""
        self.path.mkdir(parents=True, exist_ok=True)
        with replacing_file(self.path / CONFIG) as out:
            out.write(json.dumps(_plain(config), ensure_ascii=False, indent=2) + "\n")
        kept = [step for step in self.curve() if step.batch <= done]
        with replacing_file(self.path / CURVE) as out:
            out.writelines(_line(step) for step in kept)

    def log(self, step: Step) -> None:
        """Adds a step to the loss curve."""
        with (self.path / CURVE).open("a", encoding="utf-8") as stream:
            stream.write(_line(step))

    def curve(self) -> tuple[Step, ...]:
        """The steps so far; a last line that a kill tore is left out. BadInputError for any other broken line."""
        path = self.path / CURVE
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
        steps = []
        for number, line in enumerate(lines, 1):
            if number == len(lines) and not line.endswith("\n"):
                break
            try:
                steps.append(Step(**json.loads(line)))
            except (ValueError, TypeError) as error:
                raise BadInputError("is no step of a run", path=path, line=number) from error
        return tuple(steps)

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Replaces the checkpoint."""
        partial = self.path / (STATE + ".partial")
        torch.save(dict(state), partial)
        os.replace(partial, self.path / STATE)

    def state(self) -> dict[str, Any] | None:
        """The checkpoint, on the CPU, or None. BadInputError when it cannot be read, as after a loss of power."""
        path = self.path / STATE
        if not path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        except (EOFError, OSError, RuntimeError, ValueError, UnpicklingError) as error:
            raise BadInputError("is damaged; remove it to start over, or choose another --out", path=path) from error
        return state


def _line(step: Step) -> str:
    return json.dumps(asdict(step)) + "\n"


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as JSON gives them back: tuples become lists."""
    plain: dict[str, Any] = json.loads(json.dumps(values))
    return plain
