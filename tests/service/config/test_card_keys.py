"""Cards: a misspelt key is no silence."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from medner.core.errors import BadInputError
from medner.service.config.card_keys import INFORMATIVE_KEYS
from medner.service.config.cards import adapter_card, classifier_export, evidence_card, filter_card, judge_card

TAGGER = {"base": "b", "labels": "cmeee-v2", "strategy": "symbol"}
FILTER = {"kind": "llm-cls", "base": "b", "labels": "cmeee-v2", "threshold": 0.4, "temperature": 1.5}
JUDGE = {**FILTER, "kind": "llm-judge"}
EXPORT = {**FILTER, "bias": 0.5, "sha256": "00"}
CARDS: list[tuple[Any, str, dict[str, Any]]] = [
    (adapter_card, "card.toml", TAGGER),
    (filter_card, "card.toml", FILTER),
    (judge_card, "card.toml", JUDGE),
    (classifier_export, "export.toml", EXPORT),
]
SHIPPED = sorted((Path(__file__).parents[3] / "models").glob("*/*/card.toml"))


def write(folder: Path, file: str, data: dict[str, Any]) -> Path:
    lines = (f"{key} = {value!r}".replace("'", '"') for key, value in data.items())
    (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(("read", "file", "data"), CARDS)
def test_keys_for_readers_are_no_fault(read: Any, file: str, data: dict[str, Any], tmp_path: Path, caplog: Any) -> None:
    """What trainings write of data and scores is left to readers, without a word."""
    card = read(write(tmp_path, file, {**data, **dict.fromkeys(INFORMATIVE_KEYS, "something")}))
    assert card.base == "b"
    assert not caplog.records


@pytest.mark.parametrize(("read", "file", "data"), CARDS)
def test_a_misspelt_key_is_named(read: Any, file: str, data: dict[str, Any], tmp_path: Path) -> None:
    """Whether the right one is missing or has a default: the message names file, key, what is meant, what there is."""
    for key in data.keys() - {"kind"}:
        wrong = {**{name: value for name, value in data.items() if name != key}, f"{key}s": data[key]}
        with pytest.raises(BadInputError, match=rf"{file} \[{key}s\]: unknown key; is {key} meant\? There are name, "):
            read(write(tmp_path, file, wrong))


@pytest.mark.parametrize(
    ("read", "data", "key"),
    [
        (adapter_card, {**TAGGER, "styl": "full"}, "style"),
        (filter_card, {**FILTER, "two_ways_from": 8}, "two_way_from"),
        (judge_card, {**JUDGE, "two_way_form": 8}, "two_way_from"),
        (judge_card, {**JUDGE, "scored": "span"}, "scorer"),
        (filter_card, {**FILTER, "Threshold": 0.9}, "threshold"),
    ],
)
def test_a_key_with_a_default_is_named_too(read: Any, data: dict[str, Any], key: str, tmp_path: Path) -> None:
    """A misspelt key would leave its default in force."""
    with pytest.raises(BadInputError, match=f"is {key} meant"):
        read(write(tmp_path, "card.toml", data))


def test_a_key_of_nothing_is_said_once(tmp_path: Path, caplog: Any) -> None:
    """A key that resembles none is left out; one warning names it, and where remarks go."""
    folder = write(tmp_path, "card.toml", {**TAGGER, "cutoff": 0.9})
    assert adapter_card(folder) == adapter_card(folder)
    [record] = caplog.records
    assert f"{folder / 'card.toml'} [cutoff]: no key of a card, left out; there are name, base" in record.getMessage()


@pytest.mark.parametrize("card", SHIPPED, ids=lambda card: "-".join(card.parts[-3:-1]))
def test_shipped_cards_have_known_keys(card: Path, caplog: Any) -> None:
    """No card that ships has a key that nobody knows."""
    kind = tomllib.loads(card.read_text(encoding="utf-8")).get("kind")
    read: Any = {None: adapter_card, "evidence": evidence_card}.get(kind, filter_card)
    assert read(card.parent).labels
    assert not caplog.records
