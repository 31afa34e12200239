"""One run of `medner train soft-labels`: a teacher's probabilities for annotated texts, as a file to train on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medner.agents.engines.local.loading import quiet
from medner.agents.engines.local.vocabulary import Vocabulary
from medner.service.config import DEFAULT_MODEL
from medner.store.corpora import NO_OPTIONS, ReadOptions, read_documents
from medner.store.errors import UserError
from medner.store.labels import LabelSet, load_label_set
from medner.store.models import base_model_folder
from medner.store.records import Document
from medner.training.adapted import load_tokenizer
from medner.training.nesting import Pairs, nested_pairs
from medner.training.sentences import annotated_sentences
from medner.training.spans.build import Fold, is_held_back
from medner.training.spans.soft_labels import write_soft_labels
from medner.training.spans.teaching import load_teacher, taught


@dataclass(frozen=True, slots=True)
class SoftLabelOrder:
    """Which texts get soft labels, from which span taggers (folders), and where they go.

    ``weight`` is that of the annotation, the teachers have the rest; stretches less probable than ``least`` are left
    out. ``fold``: only that part of the texts, which the teachers were trained without.
    """

    files: tuple[Path, ...]
    out: Path
    taggers: tuple[Path, ...]
    partial: tuple[Path, ...] = ()
    labels: str = "cmeee-v2"
    base: str = DEFAULT_MODEL
    fold: Fold | None = None
    weight: float = 0.5
    least: float = 0.01
    batch_tokens: int = 4_096
    options: ReadOptions = NO_OPTIONS


def write_taught(order: SoftLabelOrder, say: Callable[[str], None]) -> int:
    """Carries an order out; returns how many sentences were written. UserError when there are none."""
    labels, folder = load_label_set(order.labels), base_model_folder(order.base)
    sentences = list({sentence.text: (sentence, missing) for sentence, missing in _sentences(order, labels)}.values())
    if not sentences:
        raise UserError("no sentence is left to label")
    say(f"{len(sentences):,} sentences, {len(order.taggers)} teachers")
    tokenizer = load_tokenizer(folder)
    vocabulary = Vocabulary(tokenizer, frozenset({tokenizer.eos_token_id}))
    with quiet():
        teachers = [load_teacher(folder, tagger, labels) for tagger in order.taggers]
    labelled = taught(
        teachers,
        sentences,
        vocabulary,
        labels,
        weight=order.weight,
        least=order.least,
        budget=order.batch_tokens,
    )
    return write_soft_labels(order.out, labelled, labels)


def _sentences(order: SoftLabelOrder, labels: LabelSet) -> list[tuple[Document, Pairs]]:
    """The sentences, and what their annotation may lack; texts held back from training are left out."""
    complete = [document for file in order.files for document in _documents(file, order, labels)]
    missing = nested_pairs(complete) if labels.nested else frozenset()
    partial = [document for file in order.partial for document in _documents(file, order, labels)]
    listed: list[tuple[Document, Pairs]] = [
        (document, frozenset()) for document in complete if not is_held_back(document.text)
    ]
    listed += [(document, missing) for document in partial]
    return [
        (sentence, pairs)
        for document, pairs in listed
        if order.fold is None or order.fold.holds(document.text)
        for sentence in annotated_sentences(document, join_lines=order.options.join_lines)[0]
    ]


def _documents(file: Path, order: SoftLabelOrder, labels: LabelSet) -> list[Document]:
    return list(read_documents(file, labels=labels, options=order.options))
