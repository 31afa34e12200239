"""What there is to annotate: files, folders, standard input or a text, as documents one after the other."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from medner.service.fingerprint import sha256_file
from medner.store.corpora import FORMATS, NO_OPTIONS, ReadOptions, guess_format, read_documents
from medner.store.corpora.bad import BadRecords
from medner.store.corpora.ccks2017 import text_of
from medner.store.corpora.filenames import document_id
from medner.store.corpora.source import files_in
from medner.store.errors import BadInputError, UserError
from medner.store.records import Document
from medner.store.sentences import split_sentences

SUFFIXES = (".txt", ".text", ".md", ".json", ".jsonl", ".bio", ".conll")
_STDIN = "standard input"
_TEXT_OPTION = "--text"
#: So many files are named with what they were read as.
_MOST_TOLD = 20
#: Formats that hold one document a file: its id is the file's name, below the folder that was given.
_NAMED_BY_FILE = ("text", "brat", "ccks2017")


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read. ``folder`` is the input folder it was found in; ``shown`` is what messages call it."""

    path: Path
    shown: str
    folder: Path | None = None

    def name(self, path: str | None) -> str:
        """What messages call a path that a reader named: the source itself as the user knows it."""
        return self.shown if path in (None, str(self.path)) else str(path)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first look at all inputs found: which can be read, how much there is, the hash of each file."""

    sources: tuple[Source, ...]
    documents: int
    sentences: int
    hashes: dict[str, str]


class Inputs:
    """The documents of all inputs, in order, as often as they are asked for.

    ``format`` None: each file's is found from its name and content. With ``skip_bad``, records and files that cannot
    be read are kept in ``bad`` and left out; else they raise BadInputError. ``limit`` is the most documents to take.
    ``options`` say what the files do not tell. ``guesses`` holds what was found of files that are no plain text, by
    what messages call them.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        format: str | None = None,  # noqa: A002
        skip_bad: bool = False,
        limit: int | None = None,
        options: ReadOptions = NO_OPTIONS,
    ) -> None:
        if format is not None and format not in FORMATS:
            raise UserError(f"--format: no format {format!r}; there are {', '.join(FORMATS)}")
        self._sources = tuple(sources)
        self._format = format
        self._skip_bad = skip_bad
        self._limit = limit
        self._options = options
        self.bad = BadRecords()
        self.guesses: dict[str, str] = {}

    def survey(self, *, max_chars: int, join_lines: bool = False) -> Survey:
        """Reads everything once, so that what is wrong is said before the work begins. Fills ``bad``."""
        self.bad = BadRecords()
        hashes: dict[str, str] = {}
        documents = sentences = 0
        for document in islice(self._read(self.bad, hashes), self._limit):
            documents += 1
            sentences += len(split_sentences(document, max_chars=max_chars, join_lines=join_lines))
        return Survey(self._sources, documents, sentences, hashes)

    def documents(self, *, count_bad: bool = False) -> Iterator[Document]:
        """The documents that can be read. ``count_bad``: there was no survey; fills ``bad`` on the way."""
        return islice(self._read(self.bad if count_bad else BadRecords(), {}), self._limit)

    def _read(self, bad: BadRecords, hashes: dict[str, str]) -> Iterator[Document]:
        for source in self._sources:
            try:
                hashes[source.shown] = _hash(source)
                yield from self._documents_of(source, bad)
            except BadInputError as error:
                guess = self.guesses.get(source.shown)
                reason = error.reason if guess is None else f"{error.reason} (read as {guess}; another: --format)"
                told = BadInputError(
                    reason, path=source.name(error.path), line=error.line, unit=error.unit, key=error.key
                )
                if not self._skip_bad:
                    raise told from error
                bad.add(told, "")

    def _documents_of(self, source: Source, bad: BadRecords) -> Iterator[Document]:
        is_typed = source.shown == _TEXT_OPTION
        name = self._format or ("text" if is_typed else self._guess(source))
        options = replace(self._options, encoding=None) if is_typed else self._options
        refused = BadRecords()
        kept_aside = refused if self._skip_bad else None
        if options.log is not None:
            options.log.names[source.path] = source.shown
        for document in read_documents(source.path, format=name, skip_bad=kept_aside, options=options):
            if source.folder is not None and name in _NAMED_BY_FILE:
                yield replace(document, id=document_id(source.path, source.folder))
            else:
                yield document
        bad.records += [replace(record, path=source.name(record.path)) for record in refused]

    def _guess(self, source: Source) -> str:
        name = _guess(source, self._options)
        if name != "text":
            self.guesses[source.shown] = name
        return name

    def told_guesses(self) -> Iterator[str]:
        """What the files were taken for, where it is not plain text: a line a file, of many the first ones."""
        for number, (shown, name) in enumerate(self.guesses.items()):
            if number == _MOST_TOLD:
                names = sorted(set(self.guesses.values()))
                yield f"{len(self.guesses) - number:,} more files read as {', '.join(names)}"
                return
            yield f"{shown}: read as {name}"


def _hash(source: Source) -> str:
    try:
        return sha256_file(source.path)
    except OSError as error:
        raise BadInputError(f"cannot be read: {error.strerror}", path=source.shown) from error


def _guess(source: Source, options: ReadOptions) -> str:
    try:
        return guess_format(source.path, options).name
    except BadInputError:
        raise
    except UserError as error:
        ways = ", ".join(FORMATS)
        raise BadInputError(f"cannot tell its format; name it with --format: {ways}", path=source.shown) from error


@contextmanager
def open_inputs(arguments: Sequence[str], text: str | None, stdin: BinaryIO) -> Iterator[tuple[Source, ...]]:
    """The sources that the arguments name; what comes from standard input or ``text`` lives until the block ends.

    UserError for an argument that is no path, and when there is nothing to annotate.
    """
    if (text is None) == (not arguments):
        raise UserError(
            "give either INPUT or --text" if arguments else "nothing to annotate: give files, folders, - or --text TEXT"
        )
    with TemporaryDirectory(prefix="medner-") as scratch:
        if text is not None:
            yield (_written(Path(scratch) / "text.txt", _encoded(text), _TEXT_OPTION),)
            return
        found: list[Source] = []
        for argument in arguments:
            if argument == "-":
                found.append(_written(Path(scratch) / "stdin.txt", stdin.read(), _STDIN))
            else:
                found += _expand(argument)
        yield tuple(_without_paired_texts(dict.fromkeys(found)))


def _without_paired_texts(found: Iterable[Source]) -> list[Source]:
    """The sources without the texts whose annotation tables (CCKS2017) are among them: the two are read as one."""
    sources = list(found)
    with_tables = {text for source in sources if (text := text_of(source.path)) not in (None, source.path)}
    return [source for source in sources if source.path not in with_tables]


def _written(path: Path, data: bytes, shown: str) -> Source:
    path.write_bytes(data)
    return Source(path, shown)


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError("--text: not UTF-8; set the terminal to UTF-8, or give the text as a file") from error


def _expand(argument: str) -> list[Source]:
    path = Path(argument)
    try:
        mode = path.stat().st_mode
    except PermissionError as error:
        raise BadInputError(f"cannot be read: {error.strerror}", path=argument) from error
    except (OSError, ValueError) as error:  # a text may be too long for a name, or hold what no name can
        raise UserError(f"{argument}: no such file or folder (a text itself goes behind --text)") from error
    return _in_folder(path) if stat.S_ISDIR(mode) else [Source(path, argument)]


def _in_folder(folder: Path) -> list[Source]:
    found = sorted(path for suffix in SUFFIXES for path in files_in(folder, suffix))
    if not found:
        raise UserError(f"{folder}: holds no file that ends in {', '.join(SUFFIXES)}")
    return [Source(path, str(path), folder) for path in found]
