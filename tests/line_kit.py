"""The command line as a user has it, over a scripted engine: in this process, and as a program of its own.

As a program, this file is `medner` with that engine; ``KIT_DELAY`` are the seconds it computes in a thread.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import typer

from medner.agents.engines.engine import Completion, Request
from medner.agents.engines.scripted import ScriptedEngine
from medner.service.cli.app import build, main
from tests.service.conftest import Kit

AGENTS = ("--taggers", "html:full,json:plain", "--judge", "hard-vote")
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@cache
def _commands() -> Any:
    """All commands; to build them takes longer than most of them."""
    return typer.main.get_command(build())


class Line:
    """Runs commands through :func:`main`, as the script does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.kit = Kit()
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: object, stdin: bytes = b"") -> Ended:
        """The end of a command."""
        self._capsys.readouterr()
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        tree: Any = partial(_commands(), obj=self.kit.factory)
        code = main([*map(str, words)], tree=lambda: tree)
        said = self._capsys.readouterr()
        return Ended(int(code), said.out, said.err)

    def annotate(self, *words: object, stdin: bytes = b"") -> Ended:
        """`medner annotate` with two taggers and a judge that need no model."""
        return self("annotate", *words, *AGENTS, stdin=stdin)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Line:
    """The command line."""
    return Line(monkeypatch, capsys)


def program(*words: object) -> list[str]:
    """The command of `medner` as a program of its own."""
    return [sys.executable, "-m", "tests.line_kit", *map(str, words)]


def annotate_program(*words: object) -> list[str]:
    """The command of `medner annotate` as a program of its own."""
    return program("annotate", *words, *AGENTS)


class _SlowEngine(ScriptedEngine):
    """Computes in a thread that cannot be told to stop, as a model does."""

    def __init__(self, answer: Callable[[Request], str | Exception], delay_s: float) -> None:
        super().__init__(answer)
        self._delay_s = delay_s

    async def complete(self, request: Request) -> Completion:
        """The script's answer, after a while."""
        if self._delay_s:
            await asyncio.to_thread(time.sleep, self._delay_s)
        return await super().complete(request)


def _app() -> Any:
    kit, delay_s = Kit(), float(os.environ.get("KIT_DELAY", "0"))
    return partial(build(), obj=lambda order: _SlowEngine(kit.answer, delay_s))


if __name__ == "__main__":
    from medner.service.cli.__main__ import run

    run(partial(main, tree=_app))
