"""From annotated files and taggers' predictions to the candidates a filter learns from and those it is checked on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import Document
from medner.store.corpora import NO_OPTIONS, ReadOptions, read_documents
from medner.training.filters.negatives import GoldSentence, LabelledCandidate, merged, sampled
from medner.training.nesting import Pairs, nested_pairs
from medner.training.sentences import annotated_sentences, sentence_texts

#: One document of so many is held back.
HELD_BACK = 10
#: Fewer samples say too little about a threshold.
_LEAST_HELD = 100


@dataclass(frozen=True, slots=True)
class Sources:
    """The files a filter is made from.

    ``annotated`` hold right entities, ``partial`` too but perhaps without nested ones, ``predictions`` what taggers
    said about the same texts; texts that stand in a file of ``exclude`` (test sets) are left out of all. ``options``
    say how the files are read.
    """

    annotated: tuple[Path, ...]
    exclude: tuple[Path, ...] = ()
    predictions: tuple[Path, ...] = ()
    partial: tuple[Path, ...] = ()
    options: ReadOptions = NO_OPTIONS


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Candidates that are not trained on, and how many entities there are to find.

    Where there are predictions, they are the candidates (each once, whichever taggers said it) and ``gold`` counts all
    entities of the texts predicted; without, they are samples and ``gold`` counts the right ones among them.
    """

    candidates: tuple[LabelledCandidate, ...]
    gold: int
    predicted: bool = False


@dataclass(frozen=True, slots=True)
class FilterData:
    """What a filter learns from and is checked on, and what became of the documents.

    Of ``read`` different texts ``documents`` were used, the others are excluded; ``unknown`` counts predicted texts
    that no annotated file holds.
    """

    train: tuple[LabelledCandidate, ...]
    held: HeldBack
    documents: int
    read: int
    unknown: int = 0


def is_held_back(text: str) -> bool:
    """Whether a document is never trained on, whatever the seed: about one of :data:`HELD_BACK`."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") % HELD_BACK == 0


def filter_data(
    sources: Sources, labels: LabelSet, *, samples: int = 10_000, seed: int = 7, max_chars: int = 256
) -> FilterData:
    """The candidates for training (``samples``, and all predicted ones on top) and those held back.

    Documents are cut into sentences as they are when they are annotated; what lies across two sentences can be no
    candidate. Sentences that stand in an excluded document too, or in one held back, are not trained on. UserError when
    nothing is left to train on, or to hold back.
    """
    excluded = list(_read(sources.exclude, labels, sources.options))
    forbidden = {document.text for document in excluded}
    complete = _first_of_each_text(_read(sources.annotated, labels, sources.options))
    read = {**_first_of_each_text(_read(sources.partial, labels, sources.options)), **complete}
    missing = nested_pairs(complete.values()) if labels.nested and sources.partial else frozenset()
    known = {
        text: _Known(document, frozenset() if text in complete else missing)
        for text, document in read.items()
        if text not in forbidden
    }
    cut = _Cut(max_chars, sources.options.join_lines)
    unseen = sentence_texts(excluded, max_chars=max_chars, join_lines=cut.join_lines)
    kept, back = _by_side(known.values(), unseen, cut)
    train = sampled(list(kept.values()), labels.codes, samples=samples, seed=seed)
    held = sampled(list(back.values()), labels.codes, samples=max(_LEAST_HELD, samples // HELD_BACK), seed=seed)
    if not train or not held:
        raise UserError(
            f"{len(known)} documents give {len(train)} samples to train on and {len(held)} to hold back; "
            "there must be some of both: give more annotated documents, or exclude fewer"
        )
    data = FilterData(train, HeldBack(held, sum(one.right for one in held)), len(known), len(read))
    if not sources.predictions:
        return data
    said = _united(
        document for document in _read(sources.predictions, labels, sources.options) if document.text not in forbidden
    )
    return _with_predictions(data, known, (kept, back), said, cut)


@dataclass(frozen=True, slots=True)
class _Cut:
    """How documents are cut into sentences."""

    max_chars: int
    join_lines: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """An annotated document, and the pairs of types whose nested entities it may lack."""

    document: Document
    missing: Pairs


def _united(documents: Iterable[Document]) -> list[Document]:
    """Each text once, with the entities of all its documents: the filter sees all taggers' candidates together."""
    found: dict[str, Document] = {}
    for document in documents:
        before = found.get(document.text)
        entities = document.entities if before is None else (*before.entities, *document.entities)
        found[document.text] = replace(document, entities=tuple(dict.fromkeys(entities)))
    return list(found.values())


def _with_predictions(
    data: FilterData,
    known: Mapping[str, _Known],
    sides: tuple[_Side, _Side],
    said: Sequence[Document],
    cut: _Cut,
) -> FilterData:
    kept, back = sides
    found = [document for document in said if document.text in known]
    held = [document for document in found if is_held_back(document.text)]
    train = [
        candidate
        for prediction in found
        if not is_held_back(prediction.text)
        for candidate in judged(prediction, kept, cut.max_chars, join_lines=cut.join_lines)
    ]
    candidates = tuple(
        candidate
        for prediction in held
        for candidate in judged(prediction, back, cut.max_chars, join_lines=cut.join_lines)
    )
    if not held:
        raise UserError(
            f"none of the {len(said)} predicted documents is among those held back ({len(found)} are annotated); "
            "predict the texts of the annotated files, all of them"
        )
    if not candidates:
        raise UserError(
            f"the predictions hold no entity in the {len(held)} predicted documents that are held back, so no "
            "threshold can be chosen: predict more of the annotated texts, or leave --predictions out"
        )
    return replace(
        data,
        train=tuple(dict.fromkeys((*data.train, *train))),
        held=HeldBack(candidates, sum(len(known[one.text].document.entities) for one in held), predicted=True),
        unknown=len(said) - len(found),
    )


def judged(
    prediction: Document, truth: _Side, max_chars: int, *, join_lines: bool = False
) -> Iterator[LabelledCandidate]:
    """The predicted entities of a document as candidates of its sentences, right where ``truth`` has them.

    Sentences that ``truth`` does not have are left out, and candidates of which it says nothing, because it may lack
    nested entities.
    """
    for sentence in annotated_sentences(prediction, max_chars=max_chars, join_lines=join_lines)[0]:
        known = truth.get(sentence.text)
        if known is not None:
            for entity in sentence.entities:
                if entity in known.gold or known.is_wrong(entity):
                    yield LabelledCandidate(sentence.text, entity, entity in known.gold)


#: What is known of sentences, by their text.
_Side = Mapping[str, GoldSentence]


def _by_side(documents: Iterable[_Known], unseen: AbstractSet[str], cut: _Cut) -> tuple[_Side, _Side]:
    """The sentences to train on and those held back, each text once with all that is right in it.

    Those of ``unseen`` are not trained on, nor are those of a document held back.
    """
    kept: list[GoldSentence] = []
    back: list[GoldSentence] = []
    for known in documents:
        side = back if is_held_back(known.document.text) else kept
        for sentence in annotated_sentences(known.document, max_chars=cut.max_chars, join_lines=cut.join_lines)[0]:
            side.append(GoldSentence(sentence.text, frozenset(sentence.entities), known.missing))
    held = merged(back)
    return {text: one for text, one in merged(kept).items() if text not in held and text not in unseen}, held


def _first_of_each_text(documents: Iterable[Document]) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for document in documents:
        found.setdefault(document.text, document)
    return found


def _read(files: Iterable[Path], labels: LabelSet, options: ReadOptions) -> Iterator[Document]:
    for file in files:
        yield from read_documents(file, labels=labels, options=options)
