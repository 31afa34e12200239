"""The shipped exemplars and shots hold together, and none of them comes out of a corpus."""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from importlib import resources
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from medner.core.labels import SHIPPED, load_label_set
from medner.core.records import Span

PROJECT = Path(__file__).resolve().parents[2]


def _table(kind: str, label_set: str) -> list[dict[str, Any]]:
    text = (resources.files("medner.agents") / "prompts" / f"{kind}-{label_set}.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)
    assert list(rows) == [kind]
    return list(rows[kind])


def _entities(shot: dict[str, Any]) -> list[tuple[Span, str]]:
    starts = [(shot["text"].index(text), text, label) for text, label in shot["entities"]]
    return [(Span(start, start + len(text)), label) for start, text, label in starts]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_exemplar_is_a_known_type_in_its_context(name: str) -> None:
    """An exemplar has a label of its set, and its text stands exactly once in its context."""
    labels = load_label_set(name)
    for row in _table("exemplars", name):
        assert set(row) == {"label", "text", "context"}
        assert row["label"] in labels
        assert row["context"].count(row["text"]) == 1, row
        assert row["context"] != row["text"], row


@pytest.mark.parametrize("name", SHIPPED)
def test_every_type_has_enough_different_exemplars(name: str) -> None:
    """The judge is shown five exemplars a type, so each type has at least five, none twice, no context twice."""
    rows = _table("exemplars", name)
    counts = Counter(row["label"] for row in rows)
    assert set(counts) == set(load_label_set(name).codes)
    assert min(counts.values()) >= 5
    assert len({(row["label"], row["text"]) for row in rows}) == len(rows)
    assert len({row["context"] for row in rows}) == len(rows)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shot_can_be_placed_without_doubt(name: str) -> None:
    """Each entity of a shot has a known label and stands exactly once in the text; the shots cover every type."""
    labels = load_label_set(name)
    shots = _table("shots", name)
    for shot in shots:
        assert set(shot) == {"text", "entities"}
        for text, label in shot["entities"]:
            assert label in labels
            assert shot["text"].count(text) == 1, (text, shot["text"])
    assert len(shots) == 6
    assert {label for shot in shots for _, label in shot["entities"]} == set(labels.codes)


@pytest.mark.parametrize("name", SHIPPED)
def test_shots_nest_as_their_corpus_does(name: str) -> None:
    """In a nested set only `sym` holds other entities and none cross; in a flat set no two entities touch."""
    nested = load_label_set(name).nested
    inside = 0
    for shot in _table("shots", name):
        for (first, first_label), (second, second_label) in combinations(_entities(shot), 2):
            if not first.overlaps(second):
                continue
            inside += 1
            assert nested
            assert first.contains(second) or second.contains(first)
            assert (first_label if first.contains(second) else second_label) == "sym"
    assert (inside > 0) == nested


@pytest.mark.data
def test_no_example_is_taken_from_a_corpus() -> None:
    """No exemplar context, shot or sentence of a sample note stands in a research corpus."""
    folder = Path(os.environ.get("MEDNER_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no corpora in {folder}; set MEDNER_DATA to their folder")
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".json", ".jsonl", ".txt")]
    corpus = "\n".join(path.read_text(encoding="utf-8-sig") for path in files)
    ours = [row["context"] for name in SHIPPED for row in _table("exemplars", name)]
    ours += [shot["text"] for name in SHIPPED for shot in _table("shots", name)]
    for note in sorted((PROJECT / "examples" / "notes").glob("*.txt")):
        pieces = note.read_text(encoding="utf-8").replace("\n", "。").split("。")
        ours += [piece.strip() for piece in pieces if len(piece.strip()) >= 12]
    assert [text for text in ours if text.rstrip("。") in corpus] == []
