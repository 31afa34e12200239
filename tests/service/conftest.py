"""A scripted engine that annotates by a small dictionary, and the commands run with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from medner.agents.engines.engine import Request
from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.strategies import CODECS
from medner.core.labels import load_label_set
from medner.core.records import Entity
from medner.service.build.engines import EngineFactory, EngineOrder
from medner.service.cli.commands import annotate

LABELS = load_label_set("cmeee-v2")
WORDS = {"胸痛": "sym", "高血压": "dis", "阿司匹林": "dru", "心电图": "pro", "咳嗽": "sym"}
#: What only the JSON tagger knows, so that there is something to dispute.
DISPUTED = "心电图"


def _found(text: str, words: dict[str, str]) -> list[Entity]:
    places = ((word, at) for word in words for at in range(len(text)) if text.startswith(word, at))
    return [Entity(at, at + len(word), words[word]) for word, at in places]


def _usual(strategy: str, sentence: str) -> str | Exception | None:
    return None


@dataclass
class Kit:
    """Engines that answer by the dictionary, and the command that uses them.

    ``asked`` are (strategy, sentence) of every request to a tagger. ``before`` sees each of them first; what it gives
    is the answer, or is raised.
    """

    before: Callable[[str, str], str | Exception | None] = _usual
    asked: list[tuple[str, str]] = field(default_factory=list)
    orders: list[EngineOrder] = field(default_factory=list)

    @property
    def factory(self) -> EngineFactory:
        """Makes the engine and remembers what it was ordered with."""

        def make(order: EngineOrder) -> ScriptedEngine:
            self.orders.append(order)
            return ScriptedEngine(self.answer)

        return make

    def answer(self, request: Request) -> str | Exception:
        """The answer of a tagger, by its strategy; of the judge, always its first candidate."""
        system, sentence = request.messages[0].content, request.messages[-1].content
        if "候选实体" in sentence:
            return "1"
        strategy = next(name for name, codec in CODECS.items() if codec.instruction in system)
        self.asked.append((strategy, sentence))
        special = self.before(strategy, sentence)
        if special is not None:
            return special
        words = {word: label for word, label in WORDS.items() if strategy == "json" or word != DISPUTED}
        return CODECS[strategy].encode(sentence, _found(sentence, words), LABELS)

    def run(self, *arguments: object, stdin: bytes | None = None) -> Result:
        """`medner annotate`; an error of ours is the result's exception."""
        app = typer.Typer(pretty_exceptions_enable=False)
        app.callback()(lambda: None)
        annotate.register(app)
        given = [*map(str, arguments)]
        # Whatever adapters ship, these tests run two taggers that differ, and a judge that is a model.
        if not {"--config", "--taggers"} & set(given):
            given += ["--taggers", "html:full,json:plain"]
        if not {"--config", "--judge"} & set(given):
            given += ["--judge", "select"]
        return CliRunner().invoke(app, ["annotate", *given], input=stdin, obj=self.factory)

    def records(self, path: Path) -> list[dict[str, object]]:
        """The lines of a JSON lines file."""
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


@pytest.fixture
def kit() -> Kit:
    """A fresh kit."""
    return Kit()
