"""The rows of a table of entities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medner.core.labels import LabelSet
from medner.core.records import AnnotatedDocument, KeptValue, SourcePlace, places_of

#: The columns; those that are kept of the input come behind the first one.
COLUMNS = ("document", "start", "end", "text", "label", "label_name", "score", "decision", "taggers", "conflict")
#: Further columns of entities of documents that were read from files with pages, paragraphs or sections.
PLACE_COLUMNS = ("page", "paragraph", "part")
Values = tuple[KeptValue, ...]


def entity_rows(document: AnnotatedDocument, labels: LabelSet | None) -> Iterator[Values]:
    """The values of ``COLUMNS`` for each entity of a document, in text order; no names of types without ``labels``.

    Behind them those of ``PLACE_COLUMNS`` where the document has places.
    """
    found: dict[tuple[int, int, str], Values] = {}
    several = len(document.annotations) > 1
    text = document.document.text
    for number, annotation in enumerate(document.annotations):
        for one in annotation.entities:
            entity = one.entity.shifted(annotation.sentence.offset)
            conflict = (
                None if one.conflict_id is None else f"s{number}.{one.conflict_id}" if several else one.conflict_id
            )
            name = labels.type_of(entity.label).name if labels is not None and entity.label in labels else ""
            found.setdefault(
                (entity.start, -entity.end, entity.label),
                (
                    document.document.id,
                    entity.start,
                    entity.end,
                    entity.text_in(text),
                    entity.label,
                    name,
                    one.score,
                    one.decision.value,
                    ",".join(one.taggers),
                    conflict,
                    *place_values(document.document.places, entity.start, entity.end),
                ),
            )
    for place in sorted(found):
        yield found[place]


def place_values(places: Sequence[SourcePlace], start: int, end: int) -> Values:
    """The values of ``PLACE_COLUMNS`` for ``[start, end)``: where it begins; none where there are no places at all."""
    if not places:
        return ()
    found = places_of(places, start, end)
    return (found[0].page, found[0].paragraph, found[0].part) if found else (None,) * len(PLACE_COLUMNS)


def columns_with(kept: tuple[str, ...], *, with_places: bool = False) -> tuple[str, ...]:
    """The names of all columns: a kept one that has the name of another one is called ``input_NAME``."""
    columns = (*COLUMNS, *PLACE_COLUMNS) if with_places else COLUMNS
    names: list[str] = []
    for name in kept:
        while name in columns or name in names:
            name = f"input_{name}"  # noqa: PLW2901
        names.append(name)
    return (columns[0], *names, *columns[1:])
