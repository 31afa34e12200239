"""The files to read: those named, those in folders that are inputs, and what comes through pipes, copied once."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from medner.core.errors import BadInputError, UserError
from medner.core.files.paths import readable_path
from medner.service.inputs.overwriting import WrittenFiles
from medner.service.inputs.own_files import is_written_by_medner
from medner.service.inputs.source_names import InputFile, with_distinct_names, without_paired_texts
from medner.store.corpora.document_formats import cda
from medner.store.corpora.guessing.guess import (
    DOCUMENT_SUFFIXES,
    JSON_SUFFIXES,
    TABLE_SUFFIXES,
    TAGGED_SUFFIXES,
    TEXT_SUFFIXES,
    is_of_inception,
)
from medner.store.corpora.tables.database_url import DatabaseUrl, is_database_url

SUFFIXES = (*TEXT_SUFFIXES, *DOCUMENT_SUFFIXES, *JSON_SUFFIXES, *TAGGED_SUFFIXES)
STDIN = "standard input"
#: Paths that are the same stream as ``-``.
_STDIN_PATHS = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
_NAMED_MOST = 8
_VARIABLE = "env:"


@dataclass(slots=True)
class FoundSources:
    """What the arguments lead to; files of folders that are left out, with the reason where there is one."""

    sources: list[InputFile] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    suffixes: tuple[str, ...] = SUFFIXES

    def remarks(self) -> Iterator[str]:
        """What was left out, in a line a reason."""
        if self.unread:
            yield f"not read: {listed(self.unread)} (read are {', '.join(self.suffixes)})"
        if self.own:
            yield f"not read, written by medner: {listed(self.own)} (to read such a file, name the file itself)"


def find_sources(
    arguments: Sequence[str],
    outputs: Mapping[str, Path],
    scratch: Path,
    stdin: BinaryIO | None,
    *,
    tables: bool = False,
) -> FoundSources:
    """The files that the arguments name. ``outputs`` are files this run writes, by the option that names them.

    ``tables``: those in folders are read too, as their columns are known.

    What comes through a pipe is copied into ``scratch``, once. UserError for an argument that is no path, and for an
    input that the run would write over.
    """
    found = FoundSources(suffixes=(*SUFFIXES, *TABLE_SUFFIXES) if tables else SUFFIXES)
    writes = WrittenFiles(outputs)
    for number, argument in enumerate(dict.fromkeys("-" if one in _STDIN_PATHS else one for one in arguments)):
        if (copied := copied_stream(argument, scratch / str(number), stdin)) is not None:
            if argument == "-" and stdin is not None and _is_real(stdin):
                writes.refuse(os.fstat(0), STDIN)
            found.sources.append(copied)
            continue
        if (database := _database(argument)) is not None:
            alike = sum(one.database != "" and one.path.name == database.path.name for one in found.sources)
            found.sources.append(
                replace(database, path=Path(f"{database.path.name}-{alike + 1}")) if alike else database
            )
            continue
        path, shown = Path(argument), readable_path(argument)
        status = _status(path, shown)
        if stat.S_ISDIR(status.st_mode):
            _look_into(path, writes, found)
        else:
            writes.refuse(status, shown)
            found.sources.append(InputFile(path, shown))
    once = {one.database or os.path.realpath(one.path): one for one in reversed(found.sources)}
    found.sources = with_distinct_names(without_paired_texts(list(once.values())[::-1]))
    return found


def _database(argument: str) -> InputFile | None:
    """The database that an argument is the address of, itself or in the environment variable after ``env:``."""
    if argument.startswith(_VARIABLE):
        name = argument.removeprefix(_VARIABLE)
        argument = os.environ.get(name, "")
        if not is_database_url(argument):
            what = "holds no address of a database" if argument else "is not set"
            raise UserError(f"{_VARIABLE}{name}: the environment variable {what}, such as postgresql://USER@HOST/NAME")
    elif not is_database_url(argument):
        return None
    url = DatabaseUrl(argument)
    return InputFile(Path(url.name), url.shown, database=argument)


def _status(path: Path, shown: str) -> os.stat_result:
    try:
        return path.stat()
    except PermissionError as error:
        raise BadInputError(f"cannot be read: {error.strerror}", path=shown) from error
    except (OSError, ValueError) as error:  # a text may be too long for a name, or hold what no name can
        raise UserError(f"{shown}: no such file or folder (a text itself goes behind --text)") from error


def _is_real(stdin: BinaryIO) -> bool:
    try:
        return stdin.fileno() == 0
    except (OSError, ValueError, AttributeError):
        return False


def copied_stream(argument: str, scratch: Path, stdin: BinaryIO | None) -> InputFile | None:
    """What comes through ``-``, a pipe or a terminal as a file in ``scratch``; None for a file or a folder.

    A pipe can be read once, and an input is read several times. UserError for what has no end.
    """
    if argument in _STDIN_PATHS:
        if stdin is None:
            raise UserError(f"{argument}: standard input is closed")
        return InputFile(_copied(stdin, scratch / "stdin.txt"), STDIN)
    path, shown = Path(argument), readable_path(argument)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return None
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        return None
    if not stat.S_ISFIFO(mode) and not (stat.S_ISCHR(mode) and _ends(path)):
        raise BadInputError("is a device or a socket, not a file that can be read to its end", path=shown)
    name = path.name if path.suffix.lower() in SUFFIXES else f"{path.name}.txt"
    if path.parent.as_posix() in ("/dev/fd", "/proc/self/fd"):
        name = f"pipe-{name}"
    try:
        with path.open("rb") as stream:
            return InputFile(_copied(stream, scratch / name), shown)
    except OSError as error:
        raise BadInputError(f"cannot be read: {error.strerror}", path=shown) from error


def _ends(device: Path) -> bool:
    """Whether a device gives an end of file: a terminal does, and the empty device."""
    if os.path.realpath(device) == os.devnull:
        return True
    try:
        with device.open("rb") as opened:
            return opened.isatty()
    except OSError:
        return False


def _copied(stream: BinaryIO, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        while data := stream.read(1 << 20):
            out.write(data)
    return path


def _is_of_inception(path: Path) -> bool:
    """Whether a file is INCEpTION's, whose suffix tables have too."""
    try:
        return path.is_file() and is_of_inception(path)
    except BadInputError:
        return False


def _look_into(folder: Path, writes: WrittenFiles, found: FoundSources) -> None:
    """Takes in the files of a folder and its subfolders; UserError where there is none to read."""
    before = len(found.sources)
    unread: list[str] = []
    own: list[str] = []
    for path in _files_below(folder, unread):
        shown = readable_path(path)
        if _belongs_to_brat(path):
            continue
        if path.suffix.lower() not in found.suffixes and not _is_of_inception(path):
            (own if is_written_by_medner(path) else unread).append(shown)
            continue
        status = _status_or_none(path)
        if status is not None and not stat.S_ISREG(status.st_mode):
            unread.append(f"{shown} (no file)")
        elif path.suffix.lower() in cda.SUFFIXES and not cda.is_cda_file(path):
            unread.append(f"{shown} (no CDA document)")
        elif status is not None and _is_own(path, status, writes, shown):
            own.append(shown)
        else:
            found.sources.append(InputFile(path, shown, folder))
    found.unread += unread
    found.own += own
    if len(found.sources) == before:
        there = f"; not read: {listed([*own, *unread])}" if own or unread else ""
        raise UserError(f"{readable_path(folder)}: holds no file that ends in {', '.join(found.suffixes)}{there}")


def _is_own(path: Path, status: os.stat_result, writes: WrittenFiles, shown: str) -> bool:
    """Whether a file of a folder is a result rather than an input. UserError for a note that would be written over."""
    if is_written_by_medner(path):
        return True
    output = writes.output_of(status)
    if output is None:
        return False
    # The shell has emptied it already, or nothing is lost.
    if status.st_size > 0 and not output.startswith("standard"):
        writes.refuse(status, shown)
    return True


def _status_or_none(path: Path) -> os.stat_result | None:
    """None where the reader will say what is wrong with it."""
    try:
        return path.stat()
    except OSError:
        return None


def _files_below(folder: Path, unread: list[str]) -> list[Path]:
    """All files, sorted; hidden ones, and folders that are not entered, are noted as unread."""

    def refuse(error: OSError) -> None:
        raise UserError(f"{readable_path(error.filename)}: cannot be read: {error.strerror}") from error

    files: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        for name in sorted(folders):
            path = Path(parent) / name
            if name.startswith(".") or path.is_symlink() or name == "_medner":
                folders.remove(name)
                if name != "_medner":
                    unread.append(f"{readable_path(path)}/ (a {'link' if path.is_symlink() else 'hidden folder'})")
        for name in names:
            path = Path(parent) / name
            if not name.startswith("."):
                files.append(path)
            elif path.suffix and path.suffix != ".part":
                unread.append(f"{readable_path(path)} (hidden)")
    return sorted(files)


def _belongs_to_brat(path: Path) -> bool:
    return path.suffix.lower() == ".ann" and path.with_suffix(".txt").is_file()


def listed(names: Sequence[str]) -> str:
    """How many files, and the names of the first ones."""
    more = len(names) - _NAMED_MOST
    count = "1 file" if len(names) == 1 else f"{len(names):,} files"
    return f"{count}: {', '.join(names[:_NAMED_MOST])}{f' and {more:,} more' if more > 0 else ''}"
