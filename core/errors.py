"""The errors medner raises.

::

    MednerError
    ├── UserError            the user can fix it: wrong input, option, label, path (exit code 2)
    │   ├── BadInputError         a file that cannot be read as said: names file, line, key, reason
    │   └── RefusedError          a medner server refuses a request: has the problem's kind and status
    ├── ExternalError        outside this process and worth another try: disk, network, server (exit code 3)
    └── ModelOutputError     what a model said cannot be used; carries the raw text

Model output that cannot be used is data: nodes turn :class:`ModelOutputError` into records, they never let it
end a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from medner.core.files.paths import readable_path

#: What a place in a file counts: lines; the records of a JSON array, which may share a line or take several; the rows
#: of a table, as a spreadsheet numbers them.
Unit = Literal["line", "record", "row"]


class MednerError(Exception):
    """Root of every error medner raises on purpose."""

    exit_code = 1


class UserError(MednerError):
    """Something the user can fix. The message says what, and the way out."""

    exit_code = 2


class BadInputError(UserError):
    """A record of an input file that cannot be read.

    ``line`` counts from 1 what ``unit`` says (a JSON array's records, a table's rows, else lines); None when the whole
    file is meant. ``key`` is the field at fault, where one is.
    """

    def __init__(
        self,
        reason: str,
        *,
        path: Path | str | None = None,
        line: int | None = None,
        unit: Unit = "line",
        key: str | None = None,
    ):
        self.reason = reason
        self.path = None if path is None else readable_path(path)
        self.line = line
        self.unit = unit
        self.key = key
        super().__init__(f"{shown_place(self.path, line, unit, key)}: {reason}")


class RefusedError(UserError):
    """A medner server refuses a request. The message is the problem's detail, which says the way out.

    ``kind`` is a word of docs/http.md (``unknown-job``, ``no-scope``, ``claim-lost`` ...), ``status`` the HTTP status,
    ``members`` what the problem names beside: the ``key`` of a body, the ``line`` of a stream.
    """

    def __init__(self, detail: str, *, kind: str, status: int, members: Mapping[str, Any] | None = None) -> None:
        self.kind = kind
        self.status = status
        self.members = dict(members or {})
        super().__init__(detail)


def shown_place(path: str | None, line: int | None, unit: Unit, key: str | None) -> str:
    """What messages call a place in a file: ``a.jsonl:3 [text]``, ``a.json: record 3 [text]``, ``a.csv: row 3``."""
    place = path or "input"
    if line is not None:
        place += f":{line}" if unit == "line" else f": {unit} {line}"
    return place if key is None else f"{place} [{key}]"


class ExternalError(MednerError):
    """Something outside this process failed (disk, network, model server); trying again may help."""

    exit_code = 3


class ModelOutputError(MednerError):
    """A model's answer that cannot be used. ``raw`` is the answer, whole."""

    def __init__(self, reason: str, *, raw: str):
        self.reason = reason
        self.raw = raw
        super().__init__(reason)
