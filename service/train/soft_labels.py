"""One run of `medner train soft-labels`: a teacher's probabilities for annotated texts, as a file to train on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from medner.agents.engines.local.loading import quiet
from medner.agents.engines.local.vocabulary import Vocabulary
from medner.core.errors import UserError
from medner.core.labels import LabelSet, load_label_set
from medner.core.records import Document
from medner.service.config.retired import refuse_retired
from medner.service.inputs.overwriting import refuse_overwriting
from medner.service.train.orders import SoftLabelOrder
from medner.service.train.training import StoppedError, base_of
from medner.store.corpora import read_documents
from medner.training.model.lora import load_tokenizer, quiet_peft
from medner.training.nesting import Pairs, nested_pairs
from medner.training.sentences import annotated_sentences
from medner.training.spans.build import is_held_back
from medner.training.spans.soft_labels import write_soft_labels
from medner.training.spans.teaching import load_teacher, taught

_Labelled = TypeVar("_Labelled")


def label_softly(order: SoftLabelOrder, say: Callable[[str], None], stop: Callable[[], bool]) -> None:
    """Writes the file of an order, whole or not at all. UserError without a sentence or over an input, StoppedError."""
    refuse_overwriting({"--out": order.out}, [*order.files, *order.partial])
    for tagger in order.taggers:
        refuse_retired(tagger)
    labels, folder = load_label_set(order.labels), base_of(order.base)
    sentences = list({sentence.text: (sentence, missing) for sentence, missing in _sentences(order, labels)}.values())
    if not sentences:
        raise UserError("no sentence is left to label")
    say(f"{len(sentences):,} sentences, {len(order.taggers)} teachers")
    tokenizer = load_tokenizer(folder)
    vocabulary = Vocabulary(tokenizer, frozenset({tokenizer.eos_token_id}))
    with quiet(), quiet_peft():
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
    written = write_soft_labels(order.out, _until(stop, labelled), labels)
    say(f"{written:,} sentences written")


def _until(stop: Callable[[], bool], labelled: Iterable[_Labelled]) -> Iterator[_Labelled]:
    for one in labelled:
        if stop():
            raise StoppedError
        yield one


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
