"""From annotated files and taggers' predictions to the candidates a filter learns from and those it is checked on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import Document
from medner.store.corpora import NO_OPTIONS, ReadOptions, read_all_documents
from medner.training.filters.negatives import GoldSentence, LabelledCandidate, merged, sampled
from medner.training.nesting import Pairs, nested_pairs
from medner.training.sentences import annotated_sentences, sentence_texts, text_number

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
    return text_number(text) % HELD_BACK == 0


def filter_data(sources: Sources, labels: LabelSet, *, samples: int = 10_000, seed: int = 7) -> FilterData:
    """The candidates for training (``samples``, and all predicted ones on top) and those held back.

    Documents are cut into sentences as they are when they are annotated; what lies across two sentences can be no
    candidate. Sentences that stand in an excluded document too, or in one held back, are not trained on. UserError when
    nothing is left to train on, or to hold back.
    """
    read = partial(read_all_documents, labels=labels, options=sources.options)
    join_lines = sources.options.join_lines
    excluded = list(read(sources.exclude))
    forbidden = {document.text for document in excluded}
    complete = _first_of_each_text(read(sources.annotated))
    annotated = {**_first_of_each_text(read(sources.partial)), **complete}
    missing = nested_pairs(complete.values()) if labels.nested and sources.partial else frozenset()
    known = {
        text: _Known(document, frozenset() if text in complete else missing)
        for text, document in annotated.items()
        if text not in forbidden
    }
    unseen = sentence_texts(excluded, join_lines=join_lines)
    kept, back = _by_side(known.values(), unseen, join_lines=join_lines)
    train = sampled(list(kept.values()), labels.codes, samples=samples, seed=seed)
    held = sampled(list(back.values()), labels.codes, samples=max(_LEAST_HELD, samples // HELD_BACK), seed=seed)
    if not train or not held:
        raise UserError(
            f"{len(known)} documents give {len(train)} samples to train on and {len(held)} to hold back; "
            "there must be some of both: give more annotated documents, or exclude fewer"
        )
    data = FilterData(train, HeldBack(held, sum(one.right for one in held)), len(known), len(annotated))
    if not sources.predictions:
        return data
    predicted = _united(document for document in read(sources.predictions) if document.text not in forbidden)
    return _with_predictions(data, known, (kept, back), predicted, join_lines=join_lines)


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
    predicted: Sequence[Document],
    *,
    join_lines: bool,
) -> FilterData:
    kept, back = sides
    found = [document for document in predicted if document.text in known]
    held = [document for document in found if is_held_back(document.text)]
    train = [
        candidate
        for prediction in found
        if not is_held_back(prediction.text)
        for candidate in judged(prediction, kept, join_lines=join_lines)
    ]
    candidates = tuple(
        candidate for prediction in held for candidate in judged(prediction, back, join_lines=join_lines)
    )
    if not held:
        raise UserError(
            f"none of the {len(predicted)} predicted documents is among those held back ({len(found)} are annotated); "
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
        unknown=len(predicted) - len(found),
    )


def judged(prediction: Document, truth: _Side, *, join_lines: bool = False) -> Iterator[LabelledCandidate]:
    """The predicted entities of a document as candidates of its sentences, right where ``truth`` has them.

    Sentences that ``truth`` does not have are left out, and candidates of which it says nothing, because it may lack
    nested entities.
    """
    for sentence in annotated_sentences(prediction, join_lines=join_lines)[0]:
        known = truth.get(sentence.text)
        if known is not None:
            for entity in sentence.entities:
                if entity in known.gold or known.is_wrong(entity):
                    yield LabelledCandidate(sentence.text, entity, entity in known.gold)


#: What is known of sentences, by their text.
_Side = Mapping[str, GoldSentence]


def _by_side(documents: Iterable[_Known], unseen: AbstractSet[str], *, join_lines: bool) -> tuple[_Side, _Side]:
    """The sentences to train on and those held back, each text once with all that is right in it.

    Those of ``unseen`` are not trained on, nor are those of a document held back.
    """
    kept: list[GoldSentence] = []
    back: list[GoldSentence] = []
    for known in documents:
        side = back if is_held_back(known.document.text) else kept
        for sentence in annotated_sentences(known.document, join_lines=join_lines)[0]:
            side.append(GoldSentence(sentence.text, frozenset(sentence.entities), known.missing))
    held = merged(back)
    return {text: one for text, one in merged(kept).items() if text not in held and text not in unseen}, held


def _first_of_each_text(documents: Iterable[Document]) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for document in documents:
        found.setdefault(document.text, document)
    return found
