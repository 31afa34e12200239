"""The errors medner raises.

::

    MednerError
    ├── UserError            the user can fix it: wrong input, option, label, path (exit code 2)
    │   └── BadInputError         a file that cannot be read as said: names file, line, key, reason
    ├── ExternalError        outside this process and worth another try: disk, network, server (exit code 3)
    └── ModelOutputError     what a model said cannot be used; carries the raw text

Model output that cannot be used is data: nodes turn :class:`ModelOutputError` into records, they never let it
end a run.
"""

from __future__ import annotations

from pathlib import Path


class MednerError(Exception):
    """Root of every error medner raises on purpose."""

    exit_code = 1


class UserError(MednerError):
    """Something the user can fix. The message says what, and the way out."""

    exit_code = 2


class BadInputError(UserError):
    """A record of an input file that cannot be read.

    ``line`` counts from 1 (for a JSON array: the record's place in the array, from 1); None when the whole
    file is meant. ``key`` is the field at fault, where one is.
    """

    def __init__(self, reason: str, *, path: Path | str | None = None, line: int | None = None, key: str | None = None):
        self.reason = reason
        self.path = None if path is None else str(path)
        self.line = line
        self.key = key
        place = self.path or "input"
        if line is not None:
            place += f":{line}"
        if key is not None:
            place += f" [{key}]"
        super().__init__(f"{place}: {reason}")


class ExternalError(MednerError):
    """Something outside this process failed (disk, network, model server); trying again may help."""

    exit_code = 3


class ModelOutputError(MednerError):
    """A model's answer that cannot be used. ``raw`` is the answer, whole."""

    def __init__(self, reason: str, *, raw: str):
        self.reason = reason
        self.raw = raw
        super().__init__(reason)
