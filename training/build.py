"""From annotated files to a tagger's training examples, and from a finished run to an adapter's card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medner.store.corpora import read_documents
from medner.store.errors import UserError
from medner.store.labels import LabelSet
from medner.store.records import Document
from medner.training.examples import Example, tagger_example


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Examples, and what became of the documents they were made from."""

    examples: tuple[Example, ...]
    documents: int
    excluded: int
    too_long: int


@dataclass(frozen=True, slots=True)
class TaskForm:
    """How a task is put to a model: its label set, the answer's strategy, the prompt's style."""

    labels: LabelSet
    strategy: str
    style: str = "brief"


def training_data(
    tokenizer: Any, files: Sequence[Path], form: TaskForm, *, exclude: Sequence[Path] = (), max_tokens: int = 448
) -> TrainingData:
    """The examples of some annotated files, each text once.

    Texts that stand in a file of ``exclude`` (test sets) are left out, and so are examples of more than
    ``max_tokens``: a few very long ones would take most of the time. UserError when nothing is left.
    """
    forbidden = {document.text for file in exclude for document in read_documents(file, labels=form.labels)}
    documents: dict[str, Document] = {}
    excluded = 0
    for document in _all(files, form.labels):
        if document.text in forbidden:
            excluded += 1
        else:
            documents.setdefault(document.text, document)
    made = [
        tagger_example(tokenizer, document, strategy=form.strategy, style=form.style, labels=form.labels)
        for document in documents.values()
    ]
    examples = tuple(example for example in made if len(example) <= max_tokens)
    if not examples:
        raise UserError(f"no example is left of {len(made)}: all are longer than {max_tokens} tokens, or excluded")
    return TrainingData(examples, len(made), excluded, len(made) - len(examples))


def _all(files: Iterable[Path], labels: LabelSet) -> Iterable[Document]:
    for file in files:
        yield from read_documents(file, labels=labels)


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, by which a card names the data without holding it."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def card_text(fields: dict[str, Any]) -> str:
    """A card as TOML; values are strings, numbers or lists of strings."""
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in fields.items())
