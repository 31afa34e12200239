"""A new kind needs one file and one row: cards, configurations, the schema and options then know it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from medner.agents.prompts.tagger import STYLES
from medner.agents.strategies import CODECS
from medner.core.errors import BadInputError
from medner.service.config.cards import adapter_card, filter_card
from medner.service.config.filters import FILTERS
from medner.service.config.schema import configuration_schema
from medner.service.config.taggers import TAGGERS, WritingTaggerConfig
from medner.training.filters.kinds import KINDS as TRAINABLE

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a program that adds two rows sees."""
    folder = tmp_path_factory.mktemp("new")
    done = subprocess.run(  # noqa: S603  our own program
        [sys.executable, str(Path(__file__).parent / "new_kind.py"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))},
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def test_a_new_kind_is_known_wherever_kinds_are_named(seen: dict[str, Any]) -> None:
    """Cards are read and written, a file and frozen data name it, `--taggers` and `--filter` take its folder."""
    assert (seen["card"], seen["is_filter"]) == ("dictionary", True)
    assert seen["configuration"] == "d (dictionary)"
    assert (seen["thawed"], seen["fingerprint"], seen["longest"]) == (True, 16, 3)
    assert seen["option"] == ["d", "words, tuned, threshold of its card"]
    assert seen["words"] == "words"
    assert "; or dictionary:FOLDER" in seen["refusal"]
    assert seen["report"] == ["dictionary", "words"]


def test_the_schema_has_a_new_kind(seen: dict[str, Any]) -> None:
    """With its own keys, and a key of another kind refused."""
    checker = jsonschema.Draft202012Validator(seen["schema"])
    good = '[[taggers]]\nname = "d"\nstrategy = "dictionary"\nadapter = "x"\nlongest = 3\n[filter]\nkind = "words"\n'
    assert not list(checker.iter_errors(tomllib.loads(good)))
    assert list(checker.iter_errors(tomllib.loads(good.replace("longest", "shots"))))
    assert list(jsonschema.Draft202012Validator(configuration_schema()).iter_errors(tomllib.loads(good)))


def test_names_come_from_one_table() -> None:
    """Strategies are the codecs, styles the prompts; what can be trained is what a card may name."""
    writing = [kind for kind, row in TAGGERS.rows.items() if row is WritingTaggerConfig]
    assert writing == list(CODECS)
    assert TAGGERS.with_adapter == [*CODECS, "span"]
    assert set(FILTERS.with_adapter) == set(TRAINABLE)
    parts = configuration_schema()["$defs"]["WritingTaggerConfig"]["properties"]
    assert (parts["strategy"]["enum"], parts["style"]["enum"]) == (list(CODECS), list(STYLES))


@pytest.mark.parametrize(
    ("read", "text", "reason"),
    [
        (adapter_card, 'strategy = "spam"', "there is no 'spam'; is span meant?"),
        (adapter_card, 'strategy = "plugin:x"', "there is no 'plugin:x'; there are symbol, json, html, index, span"),
        (adapter_card, 'strategy = "html"\nstyle = "brie"', "there is no 'brie'; is brief meant?"),
    ],
)
def test_a_card_of_no_kind_is_refused(read: Any, text: str, reason: str, tmp_path: Path) -> None:
    """The line names the file, the key, and the kinds that have cards."""
    (tmp_path / "card.toml").write_text(f'base = "b"\nlabels = "cmeee-v2"\n{text}\n', encoding="utf-8")
    with pytest.raises(BadInputError) as refused:
        read(tmp_path)
    assert reason in str(refused.value)
    assert str(tmp_path / "card.toml") in str(refused.value)


def test_a_filters_card_of_no_kind_is_no_filters(tmp_path: Path) -> None:
    """The kinds without a folder have no card either."""
    text = 'kind = "span"\nbase = "b"\nlabels = "cmeee-v2"\nthreshold = 0.5\ntemperature = 1\n'
    (tmp_path / "card.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError, match="not a filter's"):
        filter_card(tmp_path)
