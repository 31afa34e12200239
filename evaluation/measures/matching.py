"""Which prediction belongs to which gold document."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medner.core.errors import UserError
from medner.core.records import Document, Entity

#: How much of a text messages show and compare.
_BEGINNING = 20


@dataclass(frozen=True, slots=True)
class Pair:
    """A gold document and the prediction for it; None when there is none."""

    gold: Document
    predicted: Document | None

    @property
    def expected(self) -> frozenset[Entity]:
        """The gold entities."""
        return frozenset(self.gold.entities)

    @property
    def given(self) -> frozenset[Entity]:
        """The predicted entities; none for a missing prediction."""
        return frozenset(self.predicted.entities) if self.predicted else frozenset()


@dataclass(frozen=True, slots=True)
class Pairing:
    """All gold documents in their order, each with its prediction; ``by_text`` counts those whose ids differ."""

    pairs: tuple[Pair, ...]
    by_text: int = 0

    @property
    def missing(self) -> tuple[str, ...]:
        """The ids of the gold documents without a prediction, in order."""
        return tuple(pair.gold.id for pair in self.pairs if pair.predicted is None)


def pair_documents(gold: Iterable[Document], predicted: Iterable[Document], *, name: str = "predictions") -> Pairing:
    """Gold documents paired with predictions: by id, and where a gold id is unknown there, by equal text.

    A text that occurs several times is paired in the order of the files. A gold document left over is paired with
    None. UserError when an id is repeated within one side, when the texts under one id differ, and when a
    prediction is left over; ``name`` names the predictions in those messages.
    """
    gold = list(gold)
    expected = _by_id(gold, "the gold documents")
    given = _by_id(predicted, name)
    waiting: dict[str, deque[Document]] = defaultdict(deque)
    for document in given.values():
        if document.id not in expected:
            waiting[document.text].append(document)
    pairs = []
    by_text = 0
    for document in gold:
        match = given.get(document.id)
        if match is not None:
            _check_text(document, match, name)
        elif waiting[document.text]:
            match = waiting[document.text].popleft()
            by_text += 1
        pairs.append(Pair(document, match))
    _check_all_used(gold, given, pairs, name)
    return Pairing(tuple(pairs), by_text)


def align_systems(systems: Iterable[tuple[str, Sequence[Document]]]) -> list[tuple[Document, ...]]:
    """One row a document: its versions by every system, in the order of the systems.

    UserError when the systems do not hold the same documents.
    """
    named = list(systems)
    if not named:
        return []
    first_name, first = named[0]
    columns: list[list[Document]] = [list(first)]
    for name, documents in named[1:]:
        pairing = pair_documents(first, documents, name=name)
        if pairing.missing:
            raise UserError(
                f"{name} has no document {pairing.missing[0]!r}, which {first_name} has: an ensemble needs the answers "
                "of all systems on the same documents"
            )
        columns.append([pair.predicted for pair in pairing.pairs if pair.predicted is not None])
    return list(zip(*columns, strict=True))


def _by_id(documents: Iterable[Document], name: str) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for document in documents:
        if document.id in found:
            raise UserError(f"{name}: the id {document.id!r} is there more than once; give every document its own id")
        found[document.id] = document
    return found


def _check_text(gold: Document, predicted: Document, name: str) -> None:
    if gold.text == predicted.text:
        return
    raise UserError(
        f"{name}: the text of document {gold.id!r} is not the gold text ({_parting(gold.text, predicted.text)}), so "
        "offsets cannot be compared; annotate the gold text itself, or give the documents ids that differ from the "
        "gold ids to have them matched by text"
    )


def _check_all_used(gold: Sequence[Document], given: dict[str, Document], pairs: Sequence[Pair], name: str) -> None:
    used = {pair.predicted.id for pair in pairs if pair.predicted is not None}
    extra = [document for document in given.values() if document.id not in used]
    if extra:
        start = extra[0].text[:_BEGINNING]
        like = next(
            (one for one in gold if start and _bare(one.text)[:_BEGINNING] == _bare(extra[0].text)[:_BEGINNING]), None
        )
        near = "" if like is None else f"; gold document {like.id!r} begins alike, {_parting(like.text, extra[0].text)}"
        raise UserError(
            f"{name}: document {extra[0].id!r} ({start!r}) is not among the gold documents, neither by id nor by text"
            f" ({len(extra)} such in all){near}; give the gold file these predictions were made for"
        )


def _bare(text: str) -> str:
    return "".join(text.split())


def _parting(gold: str, predicted: str) -> str:
    """Where two texts that differ part, and whether in white space alone."""
    if gold == predicted:
        return "and has the same text"
    at = next(
        (place for place, (a, b) in enumerate(zip(gold, predicted, strict=False)) if a != b),
        min(len(gold), len(predicted)),
    )
    alone = ", and differ in white space alone, line ends for example" if _bare(gold) == _bare(predicted) else ""
    return f"they part at character {at}{alone}"
