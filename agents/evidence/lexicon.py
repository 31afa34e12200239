"""A lexicon: how often the strings of an annotated corpus occur in it, and as what.

It holds no text. A string is found by its hash, keyed with a salt of the lexicon's own; who holds a lexicon can ask
whether a string that they guess is in it, and read none from it.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medner.core.errors import BadInputError
from medner.core.files.atomic import replacing_bytes
from medner.core.labels import LabelSet

#: Longer strings are in no lexicon: they hardly ever occur twice.
LONGEST = 24
_MOST = int(np.iinfo(np.uint16).max)


@dataclass(frozen=True, slots=True)
class StringCounts:
    """How often a string occurs in a corpus, and how often as an entity of each type.

    ``free`` occurrences lie in no longer entity, and ``whole`` [types] of them are entities themselves; ``inside``
    ones lie in a longer entity, and ``nested`` [types] of them are entities too.
    """

    free: int
    inside: int
    whole: tuple[int, ...]
    nested: tuple[int, ...]

    def __sub__(self, other: StringCounts) -> StringCounts:
        """These counts without those of a part of the corpus."""
        return StringCounts(
            self.free - other.free,
            self.inside - other.inside,
            tuple(one - less for one, less in zip(self.whole, other.whole, strict=True)),
            tuple(one - less for one, less in zip(self.nested, other.nested, strict=True)),
        )

    @property
    def occurrences(self) -> int:
        """How often it occurs at all."""
        return self.free + self.inside

    @property
    def entities(self) -> int:
        """How often it is an entity of any type."""
        return sum(self.whole) + sum(self.nested)


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    """The counts of all strings that are an entity somewhere in a corpus.

    ``hashes`` [strings] ascend; ``occurrences`` [strings, 2] are the free and the inside ones; ``whole`` and ``nested``
    [strings, types].
    """

    types: tuple[str, ...]
    salt: bytes
    hashes: NDArray[np.uint64]
    occurrences: NDArray[np.uint16]
    whole: NDArray[np.uint16]
    nested: NDArray[np.uint16]
    _row: dict[int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # A search in an array costs more than the hash itself.
        object.__setattr__(self, "_row", {key: row for row, key in enumerate(self.hashes.tolist())})

    @classmethod
    def of(cls, types: tuple[str, ...], salt: bytes, counts: Mapping[str, StringCounts]) -> Lexicon:
        """The lexicon of some strings; a count over 65,535 stays there."""
        rows = sorted((string_hash(text, salt), found) for text, found in counts.items())

        def column(values: Iterable[object], *shape: int) -> NDArray[np.uint16]:
            wide = np.array(list(values), dtype=np.int64).reshape(len(rows), *shape)
            return np.minimum(wide, _MOST).astype(np.uint16)

        return cls(
            types,
            salt,
            np.array([key for key, _ in rows], dtype=np.uint64),
            column(((found.free, found.inside) for _, found in rows), 2),
            column((found.whole for _, found in rows), len(types)),
            column((found.nested for _, found in rows), len(types)),
        )

    def __len__(self) -> int:
        return len(self.hashes)

    def counts(self, text: str) -> StringCounts | None:
        """The counts of a string; None where it is an entity nowhere in the corpus."""
        if not text or len(text) > LONGEST:
            return None
        place = self._row.get(string_hash(text, self.salt))
        if place is None:
            return None
        free, inside = self.occurrences[place].tolist()
        return StringCounts(free, inside, tuple(self.whole[place].tolist()), tuple(self.nested[place].tolist()))

    def save(self, path: Path) -> None:
        """Writes the file whole or not at all."""
        with replacing_bytes(path) as out:
            np.savez_compressed(
                out,
                types=np.array(self.types),
                salt=np.frombuffer(self.salt, dtype=np.uint8),
                hashes=self.hashes,
                occurrences=self.occurrences,
                whole=self.whole,
                nested=self.nested,
            )


def read_lexicon(path: Path, labels: LabelSet) -> Lexicon:
    """The lexicon of a file. BadInputError where it is none, or one of another label set."""
    try:
        with np.load(path, allow_pickle=False) as data:
            found = Lexicon(
                tuple(map(str, data["types"].tolist())),
                data["salt"].tobytes(),
                data["hashes"],
                data["occurrences"],
                data["whole"],
                data["nested"],
            )
    except FileNotFoundError as error:
        raise BadInputError("is not there; medner train lexicon writes one", path=path) from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BadInputError(f"is no lexicon ({error}); medner train lexicon writes one", path=path) from error
    strings, types = len(found.hashes), len(found.types)
    if found.types != labels.codes:
        raise BadInputError(f"is of the types {', '.join(found.types)}, not of label set {labels.name!r}", path=path)
    if found.occurrences.shape != (strings, 2) or {found.whole.shape, found.nested.shape} != {(strings, types)}:
        raise BadInputError("is damaged: its columns differ in length; medner train lexicon writes it anew", path=path)
    return found


def string_hash(text: str, salt: bytes) -> int:
    """A string's keyed hash, 64 bits."""
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=salt).digest(), "big")
