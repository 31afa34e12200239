"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from medner.core.errors import ExternalError, UserError


@contextmanager
def replacing_file(path: Path) -> Iterator[TextIO]:
    """A text file (UTF-8, line ends as written) that takes ``path``'s place when the block ends well.

    Until then, and for good when the block raises, ``path`` is as it was. ExternalError when the disk refuses.
    A device or pipe is written to directly.
    """
    direct = path.exists() and not path.is_file()
    # A pipe behind a link has no path of its own that could be opened.
    path = path if direct else path.resolve()
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file")
    part = path if direct else part_of(path)
    try:
        with part.open("w", encoding="utf-8", newline="") as out:
            yield out
            out.flush()
            if not direct:
                os.fsync(out.fileno())
        if not direct:
            part.replace(path)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and not direct:
            # No file gives this one: the reader of another output has gone.
            raise
        raise _refused(path, error) from error
    finally:
        if not direct:
            # Gone after a good end; what cannot be removed is not worth hiding the first error for.
            with suppress(OSError):
                part.unlink()


@contextmanager
def replacing_bytes(path: Path) -> Iterator[BinaryIO]:
    """As :func:`replacing_file`, for a file of bytes."""
    path = path.resolve()
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file")
    part = part_of(path)
    try:
        with part.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that takes ``path``'s place when the block ends well; UserError when ``path`` holds anything."""
    path = path.resolve()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path}: is there already; name a new or an empty folder")
    part = part_of(path)
    try:
        part.mkdir()
        yield part
        part.replace(path)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def part_of(path: Path) -> Path:
    """Where this process writes until a file or folder takes its place; UserError where there is no folder for it."""
    path = path.resolve()
    if not path.parent.is_dir():
        raise UserError(f"{path}: cannot be written: there is no folder {path.parent}")
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _refused(path: Path, error: OSError) -> ExternalError:
    return ExternalError(f"{path}: cannot be written: {error.strerror or error}; nothing was left half done")
