"""One run of `medner train evidence` or `medner train lexicon`."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from medner.agents.evidence.lexicon import Lexicon, StringCounts
from medner.agents.taggers.spans.head import WEIGHTS as SPAN_HEAD
from medner.agents.taggers.spans.settings import SETTINGS as SPAN_SETTINGS
from medner.core.errors import UserError
from medner.core.files.atomic import replacing_file, replacing_folder
from medner.core.files.names import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from medner.core.labels import LabelSet, load_label_set
from medner.core.records import Document, Entity
from medner.service.config.cards import EVIDENCE_KIND, EvidenceCard, adapter_card, names_labels, write_card
from medner.service.config.judges.evidence import LEXICON_FILE, TREES_FILE
from medner.service.inputs.overwriting import refuse_overwriting
from medner.service.train.orders import EvidenceOrder, LexiconOrder
from medner.service.train.provenance import named_hashes
from medner.store.corpora import read_all_documents
from medner.training.evidence.lexicon import count_strings
from medner.training.judges.evidence import EvidenceCase, FittedEvidence, evidence_case, fit_evidence
from medner.training.sentences import annotated_sentences, sentence_texts
from medner.training.spans.soft_labels import SoftCells, read_soft_labels

Say = Callable[[str], None]
_SALT_BYTES = 16
#: What a span tagger's folder holds, its card left out.
READER_FILES = (ADAPTER_CONFIG, ADAPTER_WEIGHTS, SPAN_HEAD, SPAN_SETTINGS)


@dataclass(frozen=True, slots=True)
class _Corpus:
    """The sentences of an order's files, and the counts of their strings."""

    labels: LabelSet
    complete: tuple[Document, ...]
    counts: Mapping[str, StringCounts]

    def lexicon(self) -> Lexicon:
        """The counts by hash."""
        return Lexicon.of(self.labels.codes, secrets.token_bytes(_SALT_BYTES), self.counts)


def write_lexicon(order: LexiconOrder, say: Say) -> None:
    """Writes the lexicon of an order's files. UserError where they hold no entity, or where it would overwrite one."""
    refuse_overwriting({"--out": order.out}, [*order.files, *order.partial, *order.exclude])
    corpus = _counted(order, say)
    corpus.lexicon().save(order.out)


def write_evidence_judge(order: EvidenceOrder, say: Say) -> None:
    """Fits the judge of an order and writes its folder, whole or not at all. UserError where nothing can be learnt."""
    corpus = _counted(order, say)
    lexicon = corpus.lexicon()
    soft = read_soft_labels(order.soft_labels, corpus.labels)
    base = _checked_reader(order)
    read = read_soft_labels(order.reader_labels, corpus.labels) if order.reader is not None else None
    cases = list(_cases(corpus, soft, read))
    if not cases:
        raise UserError(
            f"--soft-labels{'' if read is None else ', --reader-labels'}: knows none of the gold sentences; make it of "
            "the same files: medner train soft-labels"
        )
    say(f"{len(cases):,} of {len(corpus.complete):,} sentences have soft labels")
    found = fit_evidence(cases, lexicon)
    with replacing_folder(order.out) as folder:
        with replacing_file(folder / TREES_FILE) as out:
            json.dump(found.trees.to_json(), out, ensure_ascii=False)
        lexicon.save(folder / LEXICON_FILE)
        if order.reader is not None:
            for name in READER_FILES:
                shutil.copyfile(order.reader / name, folder / name)
        scores = _score_lines(found)
        write_card(
            folder,
            EvidenceCard(
                name=order.name, kind=EVIDENCE_KIND, base=base, labels=corpus.labels.name, threshold=found.threshold
            ),
            {
                "data": named_hashes([*order.files, *order.partial]),
                "excluded": named_hashes(order.exclude),
                "soft_labels": named_hashes([*order.soft_labels, *order.reader_labels]),
                "start": "" if order.reader is None else named_hashes([order.reader / ADAPTER_WEIGHTS])[0],
                "command": order.command,
                "licence_note": order.data_note,
                "scores": list(scores),
            },
        )
    for line in scores:
        say(line)


def _checked_reader(order: EvidenceOrder) -> str | None:
    """The base model of the span tagger that reads, None where nothing does. UserError where it is none."""
    if (order.reader is None) != (not order.reader_labels):
        raise UserError("--reader and --reader-labels: give both, or neither")
    if order.reader is None:
        return None
    for name in READER_FILES:
        if not (order.reader / name).is_file():
            raise UserError(f"--reader: {order.reader} holds no {name}; medner train span writes such a folder")
    card = adapter_card(order.reader)
    if not names_labels(card.labels, load_label_set(order.labels).name):
        raise UserError(f"--reader: {order.reader} was trained for the label set {card.labels}, not {order.labels}")
    return card.base


def _counted(order: EvidenceOrder | LexiconOrder, say: Say) -> _Corpus:
    labels = load_label_set(order.labels)
    excluded = sentence_texts(
        read_all_documents(order.exclude, labels=labels, options=order.options), join_lines=order.options.join_lines
    )
    complete, partial = (
        tuple(one for one in _sentences(files, order, labels) if one.text not in excluded)
        for files in (order.files, order.partial)
    )
    counts = count_strings(complete, partial, labels)
    if not counts:
        raise UserError("no entity is left: the files are not annotated, or all is excluded")
    say(f"{len(complete) + len(partial):,} sentences, {len(counts):,} strings that are an entity somewhere")
    return _Corpus(labels, complete, counts)


def _sentences(files: tuple[Path, ...], order: EvidenceOrder | LexiconOrder, labels: LabelSet) -> Iterable[Document]:
    for document in read_all_documents(files, labels=labels, options=order.options):
        yield from annotated_sentences(document, join_lines=order.options.join_lines)[0]


def _cases(
    corpus: _Corpus, soft: Mapping[str, SoftCells], read: Mapping[str, SoftCells] | None
) -> Iterable[EvidenceCase]:
    for sentence in {one.text: one for one in corpus.complete}.values():
        found = soft.get(sentence.text)
        reading = None if read is None else read.get(sentence.text)
        if found is None or (read is not None and reading is None):
            continue
        own = None if reading is None else _chances(reading, corpus.labels)
        yield evidence_case(sentence, _chances(found, corpus.labels), corpus.labels, corpus.counts, own)


def _chances(found: SoftCells, labels: LabelSet) -> dict[Entity, float]:
    return {
        Entity(start, last + 1, labels.codes[number]): chance
        for (start, last, number), chance in zip(found.cells, found.probabilities, strict=True)
    }


def _score_lines(found: FittedEvidence) -> tuple[str, ...]:
    return (
        f"cross-validated on {found.sentences} sentences with {found.candidates} candidates: strict micro F1 "
        f"{found.f1:.4f}, by the taggers' scores alone {found.plain:.4f} (each threshold was chosen there)",
    )
