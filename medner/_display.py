"""Documents as HTML, for a page of their own and inside a notebook, and as a pandas table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.metadata import version
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, cast

from medner._documents import Document, Entity, annotated_of, as_plain, facts_of
from medner.core.errors import UserError
from medner.core.labels import LabelSet, LabelType
from medner.core.records import (
    AnnotatedDocument,
    AnnotatedEntity,
    Annotation,
    Decision,
    Decoded,
    Sentence,
    TaggerOutput,
)
from medner.core.records import Entity as PlainEntity
from medner.store.corpora.entity_tables.rows import Values, columns_with, place_values

if TYPE_CHECKING:
    import pandas

_CELL = "text-align:left;padding:1px 8px"


def page(documents: Sequence[Document], *, language: str = "zh") -> str:
    """One HTML page of the documents, as `medner annotate --html` writes it."""
    from medner.service.page.page import render_page

    if language not in ("zh", "en"):
        raise UserError(f"language: {language!r} is none; the page is in zh or en")
    facts = facts_of(documents)
    return render_page(
        [annotated_of(document) or _whole(document) for document in documents],
        facts.labels or _labels_in(documents),
        title=f"{documents[0].id} · medner" if len(documents) == 1 else "medner",
        configuration={**facts.configuration, "medner": version("medner")},
        notice=facts.notices.get(language),
        language=cast(Literal["zh", "en"], language),
    )


def _whole(document: Document) -> AnnotatedDocument:
    """A document that was not annotated here as one sentence whose entities are agreed."""
    sentence = Sentence(f"{document.id}#0", document.text, 0, document.id)
    entities = tuple(
        AnnotatedEntity(PlainEntity(one.start, one.end, one.label), Decision.AGREED) for one in document.entities
    )
    output = TaggerOutput("given", "", Decoded(tuple(one.entity for one in entities)))
    pieces = (Annotation(sentence, entities, (output,)),) if document.text.strip() else ()
    return AnnotatedDocument(as_plain(document), pieces)


def _labels_in(documents: Iterable[Document]) -> LabelSet:
    codes = sorted({entity.label for document in documents for entity in document.entities})
    return LabelSet("", "", tuple(LabelType(code, code, "") for code in codes))


def fragment(document: Document) -> str:
    """The document inside a notebook: its text with the entities marked, and a table of them."""
    from medner.service.page.page import PALETTE

    labels = facts_of([document]).labels
    codes = labels.codes if labels is not None else sorted({one.label for one in document.entities})
    colours = {code: PALETTE[number % len(PALETTE)][0] for number, code in enumerate(codes)}
    edges = sorted({0, len(document.text), *(at for one in document.entities for at in (one.start, one.end))})
    pieces = []
    for start, end in pairwise(edges):
        covering = [one for one in document.entities if one.start <= start and end <= one.end]
        pieces.append(_piece(document.text[start:end], covering, colours))
    rows = "".join(_row(one, colours) for one in document.entities)
    head = "".join(f'<th style="{_CELL}">{name}</th>' for name in ("text", "type", "place", "score", "decision"))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else "<p>no entities</p>"
    problems = "".join(f"<p>⚠ {escape(one)}</p>" for one in document.failures)
    text = f'<p style="white-space:pre-wrap;line-height:1.9">{"".join(pieces)}</p>'
    return f'<div class="medner-document">{text}{problems}{table}</div>'


def _piece(text: str, covering: Sequence[Entity], colours: dict[str, str]) -> str:
    """A stretch of text; each entity over it draws a line of its own colour, the innermost lowest."""
    if not covering:
        return escape(text)
    lines = [colours.get(one.label, "#555") for one in reversed(covering)]
    shadow = ",".join(f"0 {2 + 3 * at}px 0 -{at and 1}px {colour}" for at, colour in enumerate(lines))
    title = "; ".join(f"{one.label_name or one.label}: {one.text}" for one in covering)
    style = f"background:{lines[0]}22;box-shadow:{shadow};padding-bottom:1px"
    return f'<span style="{style}" title="{escape(title, quote=True)}">{escape(text)}</span>'


def _row(entity: Entity, colours: dict[str, str]) -> str:
    score = "" if entity.score is None else f"{entity.score:.3f}"
    decision = (entity.decision or "") + (" *" if entity.conflict is not None else "")
    kind = f'<b style="color:{colours.get(entity.label, "#555")}">{escape(entity.label_name or entity.label)}</b>'
    cells = (escape(entity.text), kind, f"[{entity.start},{entity.end})", score, escape(decision))
    return "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>"


def frame(documents: Iterable[Document]) -> pandas.DataFrame:
    """A pandas table with a row an entity; kept columns stand behind the document's id.

    UserError with the way out where pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise UserError("pandas is missing: tables need pip install 'medner[frame]'") from error
    found = list(documents)
    kept = tuple(dict.fromkeys(name for document in found for name in document.kept))
    columns = columns_with(kept, with_places=any(document.places for document in found))
    rows = [
        (row[0], *(document.kept.get(name) for name in kept), *row[1:])
        for document in found
        for row in rows_of(document)
    ]
    return pandas.DataFrame([(*row, *(None,) * (len(columns) - len(row))) for row in rows], columns=list(columns))


def rows_of(document: Document) -> Iterator[Values]:
    """The values of a table of entities for each entity of a document."""
    for one in document.entities:
        yield (
            document.id,
            one.start,
            one.end,
            one.text,
            one.label,
            one.label_name,
            one.score,
            one.decision,
            ",".join(one.taggers),
            None if one.conflict is None else one.conflict.id,
            *place_values(document.places, one.start, one.end),
        )
