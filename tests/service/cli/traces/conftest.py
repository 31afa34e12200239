"""`medner traces` on the traces of a run with scripted engines."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from medner.service.cli.traces import group as traces
from tests.service.conftest import Kit

#: Two documents whose second word only the JSON tagger knows, and one without a conflict.
NOTES = {"a.txt": "胸痛三天，查心电图。", "b.txt": "咳嗽，复查心电图。", "c.txt": "高血压十年。"}


@dataclass
class Traced:
    """A folder with notes, their results and traces; `medner traces` on it."""

    kit: Kit
    folder: Path

    @property
    def place(self) -> Path:
        """The traces."""
        return self.folder / "traces.sqlite"

    @property
    def results(self) -> Path:
        """What annotate wrote."""
        return self.folder / "out.jsonl"

    def annotate(self, *arguments: object) -> Result:
        """Annotates the notes with traces."""
        result = self.kit.run(self.folder / "notes", "-o", self.results, "--traces", self.place, *arguments)
        assert result.exit_code == 0, result.exception or result.stderr
        return result

    def run(self, *arguments: object, code: int = 0) -> Result:
        """`medner traces` with these arguments."""
        app = typer.Typer(pretty_exceptions_enable=False)
        traces.register(app)
        given = ["traces", *map(str, arguments), "--traces", str(self.place)]
        result = CliRunner().invoke(app, given, obj=self.kit.factory)
        if result.exit_code != code and result.exception is not None:
            raise result.exception
        assert result.exit_code == code
        return result

    def json(self, *arguments: object) -> Any:
        """The command's answer as data."""
        return json.loads(self.run(*arguments, "--json").stdout)


@pytest.fixture
def traced(tmp_path: Path) -> Traced:
    """Three notes, not yet annotated."""
    (tmp_path / "notes").mkdir()
    for name, text in NOTES.items():
        (tmp_path / "notes" / name).write_text(text, encoding="utf-8")
    return Traced(Kit(), tmp_path)


@pytest.fixture
def make_traced(traced: Traced) -> Callable[..., Traced]:
    """The notes annotated with traces of a policy."""

    def make(*arguments: object) -> Traced:
        traced.annotate("--trace", "conflicts", *arguments)
        return traced

    return make
