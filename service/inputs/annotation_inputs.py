"""What there is to annotate: files, folders, standard input or a text, as documents one after the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, gettempdir
from typing import BinaryIO

from medner.core.errors import BadInputError, UserError
from medner.core.files.hashing import sha256_of
from medner.core.records import Document
from medner.core.sentences import split_sentences
from medner.service.inputs.source_names import NAMED_BY_FILE, InputFile
from medner.service.inputs.sources import find_sources
from medner.store.corpora import FORMATS, NO_OPTIONS, ReadOptions, guess_format, read_documents
from medner.store.corpora.reading.bad_records import BadRecords

_SCRATCH = "medner-"
_TEXT_OPTION = "--text"
#: So many files are named with what they were read as.
_MOST_GUESSES = 20


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first look at all inputs found: which can be read, how much there is, the hash of each file."""

    sources: tuple[InputFile, ...]
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
        sources: Sequence[InputFile],
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
        ids = DocumentIds()
        for source in self._sources:
            try:
                hashes[source.shown] = _hash(source)
                for document in self._documents_of(source, bad):
                    try:
                        ids.add(document.id, source)
                    except BadInputError as error:
                        if not self._skip_bad:
                            raise
                        bad.add(error, "")
                    else:
                        yield document
            except BadInputError as error:
                guess = self.guesses.get(source.shown)
                reason = error.reason if guess is None else f"{error.reason} (read as {guess}; another: --format)"
                told = BadInputError(
                    reason, path=source.name(error.path), line=error.line, unit=error.unit, key=error.key
                )
                if not self._skip_bad:
                    raise told from error
                bad.add(told, "")

    def _documents_of(self, source: InputFile, bad: BadRecords) -> Iterator[Document]:
        is_typed = source.shown == _TEXT_OPTION
        name = self._format or ("text" if is_typed else self._guess(source))
        options = replace(self._options, encoding=None) if is_typed else self._options
        refused = BadRecords()
        if options.log is not None:
            options.log.names[source.path] = source.shown
        reading = read_documents(
            source.path,
            format=name,
            skip_bad=refused if self._skip_bad else None,
            stem=source.stem or None,
            options=options,
        )
        for document in reading:
            yield replace(document, id=source.id) if name in NAMED_BY_FILE else document
        bad.records += [replace(record, path=source.name(record.path)) for record in refused]

    def _guess(self, source: InputFile) -> str:
        name = _guess(source, self._options)
        if name != "text":
            self.guesses[source.shown] = name
        return name

    def guess_lines(self) -> Iterator[str]:
        """What the files were taken for, where it is not plain text: a line a file, of many the first ones."""
        for number, (shown, name) in enumerate(self.guesses.items()):
            if number == _MOST_GUESSES:
                names = sorted(set(self.guesses.values()))
                yield f"{len(self.guesses) - number:,} more files read as {', '.join(names)}"
                return
            yield f"{shown}: read as {name}"


class DocumentIds:
    """The ids of the documents so far, each with the source it came from."""

    def __init__(self) -> None:
        self._known: dict[str, InputFile] = {}

    def add(self, id: str, source: InputFile) -> None:  # noqa: A002
        """Takes note of a document's id; BadInputError for one that another document has."""
        first = self._known.get(id)
        if first is None:
            self._known[id] = source
            return
        where = "another of its documents" if first is source else f"a document of {first.shown}"
        raise BadInputError(
            f"{id!r} is the id of {where} too; give every document an id of its own"
            f"{'' if first is source else ', or annotate the files one by one'} (--skip-bad leaves it out)",
            path=source.shown,
            key="id",
        )


def _hash(source: InputFile) -> str:
    try:
        return sha256_of(source.path)
    except OSError as error:
        raise BadInputError(f"cannot be read: {error.strerror}", path=source.shown) from error


def _guess(source: InputFile, options: ReadOptions) -> str:
    try:
        return guess_format(source.path, options).name
    except BadInputError:
        raise
    except UserError as error:
        ways = ", ".join(FORMATS)
        raise BadInputError(f"cannot tell its format; name it with --format: {ways}", path=source.shown) from error


@contextmanager
def open_inputs(
    arguments: Sequence[str],
    text: str | None,
    stdin: BinaryIO | None,
    *,
    outputs: Mapping[str, Path] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[InputFile, ...]]:
    """The sources that the arguments name; what comes from standard input or ``text`` lives until the block ends.

    ``outputs`` are the files that the run writes, by their options; ``tell`` hears which files of folders are not
    read. UserError for an argument that is no path, for an input that is an output, and when there is nothing to
    annotate.
    """
    if (text is None) == (not arguments):
        raise UserError(
            "give either INPUT or --text" if arguments else "nothing to annotate: give files, folders, - or --text TEXT"
        )
    with TemporaryDirectory(prefix=_SCRATCH) as scratch:
        if text is not None:
            path = Path(scratch) / "text.txt"
            path.write_bytes(_encoded(text))
            yield (InputFile(path, _TEXT_OPTION, id="text", stem="text"),)
            return
        found = find_sources(arguments, outputs or {}, Path(scratch), stdin)
        for remark in found.remarks():
            tell(remark)
        yield tuple(found.sources)


def discard_copies(sources: Sequence[InputFile]) -> None:
    """Removes what was copied from a pipe or a text: for a process that ends at once."""
    for source in sources:
        for parent in source.path.parents:
            if parent.parent == Path(gettempdir()) and parent.name.startswith(_SCRATCH):
                rmtree(parent, ignore_errors=True)


def standard_input() -> BinaryIO | None:
    """Standard input in bytes; None where it is closed."""
    return None if sys.stdin is None else sys.stdin.buffer


def _encoded(text: str) -> bytes:
    try:
        # What a terminal of another encoding gave comes back as the bytes it was.
        return os.fsencode(text)
    except UnicodeEncodeError:
        pass
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError("--text: not UTF-8; set the terminal to UTF-8, or give the text as a file") from error
