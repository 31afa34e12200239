"""No command writes over what it reads."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from medner.core.errors import UserError
from medner.core.files.paths import readable_path


class WrittenFiles:
    """The files a run writes, by what they are on disk."""

    def __init__(self, outputs: Mapping[str, Path]) -> None:
        self._known: dict[tuple[int, int], str] = {}
        for option, path in outputs.items():
            try:
                self._add(path.stat(), f"{option} {readable_path(path)}")
            except OSError:
                continue
        for descriptor, name in ((1, "standard output"), (2, "standard error")):
            try:
                self._add(os.fstat(descriptor), name)
            except OSError:
                continue

    def _add(self, status: os.stat_result, name: str) -> None:
        if stat.S_ISREG(status.st_mode):
            self._known[status.st_dev, status.st_ino] = name

    def output_of(self, status: os.stat_result) -> str | None:
        """What writes this file, None where nothing does."""
        return self._known.get((status.st_dev, status.st_ino))

    def refuse(self, status: os.stat_result | None, shown: str) -> None:
        """UserError where an input would be written over."""
        output = None if status is None else self.output_of(status)
        if output is not None:
            raise UserError(f"{shown}: is an input, and {output} would write over it; name another output")


def refuse_overwriting(outputs: Mapping[str, Path | None], inputs: Iterable[Path | None]) -> None:
    """UserError where an output, named by its option, is one of the files that are read, under whatever name.

    The same for two outputs that are one file.
    """
    places: dict[Path, str] = {}
    for option, path in outputs.items():
        if path is None or (path.exists() and not path.is_file()):
            continue
        other = places.setdefault(path.resolve(), option)
        if other != option:
            raise UserError(f"{readable_path(path)}: {other} and {option} would both write it; name two files")
    writes = WrittenFiles({option: path for option, path in outputs.items() if path is not None})
    for path in inputs:
        if path is None:
            continue
        try:
            status = path.expanduser().stat()
        except (OSError, ValueError):
            continue
        writes.refuse(status, readable_path(path))
