"""A tiny random base model, and notes with entities that can be told from wrong ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medner.core.records import Document, Entity
from tests.tiny_model import save_tiny_model


def note(number: int) -> Document:
    """A hand-written note that differs by its number."""
    text = f"患者{number}天前出现咳嗽、咽部充血。"
    return Document(str(number), text, tuple(Entity(text.index(w), text.index(w) + len(w), "sym") for w in WORDS))


WORDS = ("咳嗽", "咽部充血")
NOTES = [note(number) for number in range(100, 160)]


def write(path: Path, documents: list[Document]) -> Path:
    """The documents as medner's JSON lines."""
    lines = [
        {
            "id": one.id,
            "text": one.text,
            "entities": [{"start": e.start, "end": e.end, "label": e.label} for e in one.entities],
        }
        for one in documents
    ]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model whose weights are in bf16 as those of real ones are."""
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM

    folder = save_tiny_model(tmp_path_factory.mktemp("filter-base"))
    AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    return folder
