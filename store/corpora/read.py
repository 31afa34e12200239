"""Reading documents of any format."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from medner.core.errors import BadInputError, UserError
from medner.core.labels import LabelSet
from medner.core.records import Document
from medner.store.corpora.reading.bad_records import BadRecords
from medner.store.corpora.reading.format import Reading
from medner.store.corpora.reading.read_options import NO_OPTIONS, ReadOptions
from medner.store.corpora.registry import format_named, guess_format


def read_documents(
    path: Path | str,
    *,
    format: str | None = None,  # noqa: A002
    labels: LabelSet | None = None,
    skip_bad: BadRecords | None = None,
    stem: str | None = None,
    options: ReadOptions = NO_OPTIONS,
) -> Reading:
    """The documents of a file or folder, as an iterator that also knows the format, the layout and what it met.

    Every entity is checked: it lies in the text, its string stands there, its label is known. With ``labels`` the
    labels become codes (a code or a Chinese name is understood); without, they stay as they are. BadInputError at
    the first bad record; with ``skip_bad`` bad records go there and the reading goes on. ``stem`` begins the ids of
    records without an id, in the place of the file's name. ``options`` say what the files do not tell; with their
    ``database``, ``path`` is only what messages call it.
    """
    if options.database is not None:
        return Reading(Path(path), format_named("sql"), labels=labels, bad=skip_bad, guessed=False, options=options)
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file or folder") from error
    except OSError as error:
        raise BadInputError(f"cannot be read: {error.strerror}", path=path) from error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise BadInputError(
            "is a pipe or a device, and is read more than once: save it as a file first (annotate and convert read "
            "pipes)",
            path=path,
        )
    if skip_bad is None and options.log is not None:
        skip_bad = options.log.bad
    known = format_named(format) if format is not None else guess_format(path, options)
    reading = Reading(path, known, labels=labels, bad=skip_bad, guessed=format is None, options=options)
    if stem is not None:
        reading.stem = stem
    return reading


def read_all_documents(
    paths: Iterable[Path], *, labels: LabelSet | None = None, options: ReadOptions = NO_OPTIONS
) -> Iterator[Document]:
    """The documents of several files, one file after the other."""
    for path in paths:
        yield from read_documents(path, labels=labels, options=options)
