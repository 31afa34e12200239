"""No two documents of a run have one id."""

from __future__ import annotations

import hashlib

import numpy as np

from medner.core.errors import BadInputError
from medner.service.inputs.source_names import InputFile

#: So many ids are held whole, with where they come from; further ones as eight bytes each.
_MOST_WHOLE = 50_000
_MOST_RECENT = 1 << 16


class DocumentIds:
    """The ids of the documents so far, of the first ones each with the source it came from.

    Of further ids only hashes are held, 8 bytes each: that two of a million are alike is as likely as 1 in 30 million.
    """

    def __init__(self) -> None:
        self._known: dict[str, InputFile] = {}
        self._recent: set[int] = set()
        self._hashes = np.empty(0, np.uint64)

    def add(self, id: str, source: InputFile) -> None:  # noqa: A002
        """Takes note of a document's id; BadInputError for one that another document has."""
        first = self._known.get(id)
        if first is not None:
            where = "another of its documents" if first is source else f"a document of {first.shown}"
            raise _taken(id, where, source, alone=first is source)
        if len(self._known) < _MOST_WHOLE:
            self._known[id] = source
            return
        if not self._add_hash(int.from_bytes(hashlib.blake2b(id.encode("utf-8"), digest_size=8).digest(), "big")):
            raise _taken(id, "another document", source, alone=True)

    def _add_hash(self, value: int) -> bool:
        """Whether it was not there yet."""
        if value in self._recent:
            return False
        at = int(np.searchsorted(self._hashes, np.uint64(value)))
        if at < len(self._hashes) and int(self._hashes[at]) == value:
            return False
        self._recent.add(value)
        if len(self._recent) == _MOST_RECENT:
            recent = np.fromiter(self._recent, np.uint64, len(self._recent))
            self._hashes = np.sort(np.concatenate([self._hashes, recent]))
            self._recent.clear()
        return True


def _taken(id: str, where: str, source: InputFile, *, alone: bool) -> BadInputError:  # noqa: A002
    return BadInputError(
        f"{id!r} is the id of {where} too; give every document an id of its own"
        f"{'' if alone else ', or annotate the files one by one'} (--skip-bad leaves it out)",
        path=source.shown,
        key="id",
    )
