"""A folder of exemplars on disk: K-Means exemplars, embedded entities, their FAISS index, and the card.

It holds text of the corpora it was made from. `medner exemplars build` writes it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from medner.agents.exemplars.embedding import Kind, Origin
from medner.core.errors import BadInputError, ExternalError, UserError
from medner.core.files.hashing import sha256_of
from medner.core.files.names import CARD
from medner.core.labels import LabelSet
from medner.core.records import Exemplar

CLUSTERED, ENTITIES, INDEX = "exemplars.jsonl", "entities.jsonl", "index.faiss"
FILES = (CLUSTERED, ENTITIES, INDEX)
#: Changes whenever the same model would give other vectors.
METHOD = "mean of the last hidden states over the entity's tokens, 1"
NOTE = "Holds text of the corpora named under data: keep to their terms, do not pass it on."
_AGAIN = "build it again with medner exemplars build"
_Row = TypeVar("_Row", bound="EntityRow")


class EntityRow(BaseModel):
    """An embedded entity: row n of the file is row n of the index. ``start`` is its place in the context."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    text: str
    label: str
    context: str
    start: int

    @model_validator(mode="after")
    def _stands_there(self) -> EntityRow:
        if not self.text or not self.context.startswith(self.text, self.start):
            raise ValueError("the entity is not at its place in the context")
        return self

    def exemplar(self, distance: float | None = None) -> Exemplar:
        """The entity as the judge's prompt takes it."""
        return Exemplar(self.text, self.label, self.context, distance)


class ClusterRow(EntityRow):
    """A K-Means exemplar: its type's cluster, and how far it lies from the cluster's centre (Euclidean)."""

    cluster: int
    distance: float

    def exemplar(self, distance: float | None = None) -> Exemplar:
        """The entity as the judge's prompt takes it, with its distance from the centre."""
        return super().exemplar(self.distance if distance is None else distance)


class ExemplarCard(BaseModel):
    """What the folder was made from and how. ``base`` is the embedding model's name.

    By type: ``distinct`` are the entities the data holds, ``embedded`` those in the index, ``exemplars`` the K-Means
    ones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    note: str = NOTE
    labels: str
    types: tuple[str, ...]
    embedder: Kind
    base: str
    base_sha256: str
    method: str = METHOD
    width: int
    seed: int
    clusters: int
    each: int
    max_per_type: int
    max_chars: int
    data: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    distinct: dict[str, int]
    embedded: dict[str, int]
    exemplars: dict[str, int]
    versions: dict[str, str]
    files: dict[str, str] = {}

    @property
    def origin(self) -> Origin:
        """What made the vectors."""
        return Origin(self.embedder, self.base, self.base_sha256)

    def toml(self) -> str:
        """The card as a TOML file: plain keys, then the tables."""
        data = self.model_dump(mode="json")
        tables = {key: value for key, value in data.items() if isinstance(value, dict)}
        lines = [f"{key} = {_toml(value)}" for key, value in data.items() if key not in tables]
        for name, table in tables.items():
            lines += ["", f"[{name}]", *(f"{_toml(key)} = {_toml(value)}" for key, value in table.items())]
        return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    # A JSON string, number or list of strings is TOML as well, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@dataclass(frozen=True, slots=True)
class ExemplarFolder:
    """A folder whose files are as its card says."""

    path: Path
    card: ExemplarCard

    @classmethod
    def open(cls, path: Path, *, labels: LabelSet | None = None) -> ExemplarFolder:
        """The folder, its files checked against the card.

        UserError when there is none, when it was made for another label set than ``labels``, and when it is damaged.
        """
        card = _read_card(path / CARD)
        if labels is not None and (card.labels, card.types) != (labels.name, labels.codes):
            raise UserError(
                f"{path}: these exemplars are of label set {card.labels!r} ({', '.join(card.types)}), "
                f"not of {labels.name!r} ({', '.join(labels.codes)}); {_AGAIN} --labels"
            )
        for name in FILES:
            if card.files.get(name) != _sha256(path / name):
                raise BadInputError(f"damaged: its bytes are not those the card names; {_AGAIN}", path=path / name)
        return cls(path, card)

    def clustered(self) -> tuple[ClusterRow, ...]:
        """The K-Means exemplars, type by type."""
        return tuple(_rows(self.path / CLUSTERED, ClusterRow))

    def entities(self) -> tuple[EntityRow, ...]:
        """The embedded entities, row by row of the index."""
        return tuple(_rows(self.path / ENTITIES, EntityRow))

    def index(self) -> Any:
        """The FAISS index; BadInputError when it does not fit the rows or the card."""
        import faiss  # noqa: PLC0415  heavy

        path = self.path / INDEX
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise BadInputError(f"damaged: not a FAISS index; {_AGAIN}", path=path) from error
        expected = sum(self.card.embedded.values())
        if (index.ntotal, index.d) != (expected, self.card.width):
            raise BadInputError(
                f"damaged: {index.ntotal} vectors of {index.d} numbers where the card says {expected} of "
                f"{self.card.width}; {_AGAIN}",
                path=path,
            )
        return index


def write_folder(
    path: Path, card: ExemplarCard, clustered: Iterable[ClusterRow], entities: Iterable[EntityRow], index: Any
) -> ExemplarCard:
    """Fills an empty folder; gives the card with the files' checksums."""
    import faiss  # noqa: PLC0415  heavy

    _write_rows(path / CLUSTERED, clustered)
    _write_rows(path / ENTITIES, entities)
    faiss.write_index(index, str(path / INDEX))
    whole = card.model_copy(update={"files": {name: _sha256(path / name) for name in FILES}})
    (path / CARD).write_text(whole.toml(), encoding="utf-8", newline="\n")
    return whole


def check_origin(card: ExemplarCard, origin: Origin, *, where: Path) -> None:
    """UserError unless a folder's vectors can be compared with those of ``origin``."""
    said, ours = (card.embedder, card.base_sha256), (origin.kind, origin.sha256)
    if said != ours:
        raise UserError(
            f"{where}: its index was made with {card.base} ({card.embedder}, {card.base_sha256[:12]}), not with "
            f"{origin.name} ({origin.kind}, {origin.sha256[:12]}); vectors of different models cannot be compared: "
            f"name the model it was made with, set nearest = 0, or {_AGAIN} --base"
        )
    if card.method != METHOD:
        raise UserError(f"{where}: its index was made by another version of medner ({card.method}); {_AGAIN}")


def _read_card(path: Path) -> ExemplarCard:
    try:
        return ExemplarCard.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise UserError(f"{path.parent}: holds no exemplars (no {CARD}); medner exemplars build makes some") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"damaged: not UTF-8; {_AGAIN}", path=path) from error
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"damaged: not valid TOML: {error}; {_AGAIN}", path=path) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadInputError(f"{first['msg']}; {_AGAIN}", path=path, key=".".join(map(str, first["loc"]))) from error


def _write_rows(path: Path, rows: Iterable[BaseModel]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(json.dumps(row.model_dump(), ensure_ascii=False) + "\n" for row in rows)


def _rows(path: Path, kind: type[_Row]) -> Iterator[_Row]:
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            try:
                yield kind.model_validate_json(line)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                key = ".".join(map(str, first["loc"])) or None
                raise BadInputError(f"{first['msg']}; {_AGAIN}", path=path, line=number, key=key) from error


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except FileNotFoundError as error:
        raise BadInputError(f"missing; {_AGAIN}", path=path) from error
    except OSError as error:
        raise ExternalError(f"{path}: cannot be read: {error.strerror}") from error
