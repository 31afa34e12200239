"""Where a text stands in the file that it was read from, as JSON: of a document, and of each of its entities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from medner.core.records import Box, Entity, SourcePlace, places_of
from medner.core.records.places import checked_places
from medner.store.corpora.reading.format import Reading
from medner.store.corpora.reading.raw_records import first_problem


class EntityPlace(BaseModel):
    """Where an entity stands in its file; it follows from the document's places."""

    model_config = ConfigDict(extra="forbid")
    page: int | None = None
    paragraph: int | None = None
    part: str = ""
    box: Box | None = None


class PlaceLine(EntityPlace):
    """Where a stretch of the document's text stands in its file."""

    start: int
    end: int
    edges: tuple[float, ...] = ()

    def record(self) -> SourcePlace:
        """The record. ValueError for what is no place."""
        return SourcePlace(self.start, self.end, self.page, self.paragraph, self.part, self.box, self.edges)


_LINES = TypeAdapter(tuple[PlaceLine, ...])


def places_json(places: Iterable[SourcePlace]) -> list[dict[str, Any]]:
    """The places of a document; what is not known is left out."""
    return [
        {"start": one.start, "end": one.end, **_known(one), **({"edges": list(one.edges)} if one.edges else {})}
        for one in places
    ]


def entity_places_json(places: Sequence[SourcePlace], entity: Entity) -> list[dict[str, Any]]:
    """The places of an entity of the document, in text order: several where it goes on in another line."""
    return [_known(one) for one in places_of(places, entity.start, entity.end)]


def records_of(lines: Iterable[PlaceLine], length: int) -> tuple[SourcePlace, ...]:
    """The places of a text of this length. ValueError for what is no place in it."""
    return checked_places([line.record() for line in lines], length)


def read_places(reading: Reading, line: int, value: object, length: int) -> tuple[SourcePlace, ...]:
    """The places under the key of a record. BadInputError for what is no place."""
    if not value:
        return ()
    try:
        return records_of(_LINES.validate_python(value), length)
    except ValidationError as error:
        reason, _, key = first_problem(error, line)
        raise reading.error(reason, line, f"places.{key}") from error
    except ValueError as error:
        raise reading.error(str(error), line, "places") from error


def _known(place: SourcePlace) -> dict[str, Any]:
    known: dict[str, Any] = {"page": place.page, "paragraph": place.paragraph, "part": place.part, "box": place.box}
    if place.box is not None:
        known["box"] = list(place.box)
    return {key: value for key, value in known.items() if value not in (None, "")}
