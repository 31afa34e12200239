"""What there is to annotate: files, folders, standard input or a text, as documents one after the other."""

from __future__ import annotations

import hashlib
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
from medner.service.inputs.document_ids import DocumentIds
from medner.service.inputs.source_names import NAMED_BY_FILE, InputFile
from medner.service.inputs.sources import find_sources
from medner.service.inputs.splitting import SplitDocument, Splitting
from medner.service.inputs.typed_text import TEXT_OPTION, typed_document
from medner.store.corpora import FORMATS, NO_OPTIONS, TABLES, Reading, ReadOptions, guess_format, read_documents
from medner.store.corpora.reading.bad_records import BadRecords

_SCRATCH = "medner-"
#: So many files are named with what they were read as.
_MOST_GUESSES = 20
#: Code points of documents that a survey holds for the run. Inputs with more are read a second time; of a table with
#: more, or with more documents than this, the rest is read while the run goes on.
HELD_CHARACTERS = 1 << 24
HELD_DOCUMENTS = 20_000


@dataclass(frozen=True, slots=True)
class Survey:
    """What the first reading of all inputs gives: how much there is, and where asked for the hash of each file.

    ``complete`` False: there is a large table, of which only the beginning was read.
    """

    documents: int
    sentences: int
    hashes: dict[str, str]
    complete: bool = True


class Inputs:
    """The documents of all inputs, in order.

    ``text`` is a text that is the only input. ``format`` None: each file's is found from its name and content. With
    ``skip_bad``, records and files that cannot be read are kept in ``bad`` and left out; else they raise BadInputError.
    ``limit`` is the most documents to take. ``options`` say what the files do not tell. ``guesses`` holds what was
    found of files that are no plain text, by what messages call them.
    """

    def __init__(
        self,
        sources: Sequence[InputFile],
        *,
        text: str | None = None,
        format: str | None = None,  # noqa: A002
        skip_bad: bool = False,
        limit: int | None = None,
        options: ReadOptions = NO_OPTIONS,
    ) -> None:
        if format is not None and format not in FORMATS:
            raise UserError(f"--format: no format {format!r}; there are {', '.join(FORMATS)}")
        if text is not None and format not in (None, "text"):
            raise UserError(f"--format {format}: is for files; a text behind --text is plain text")
        self.sources = tuple(sources)
        self._text = text
        self._format = format
        self._skip_bad = skip_bad
        self._limit = limit
        self._options = options
        self._held: list[SplitDocument] | None = None
        self._rest: Iterator[Document] = iter(())
        self._reading: Reading | None = None
        self.bad = BadRecords()
        self.guesses: dict[str, str] = {}

    def survey(
        self,
        how: Splitting,
        *,
        hashes: bool = False,
        hold: int = HELD_CHARACTERS,
        hold_documents: int = HELD_DOCUMENTS,
    ) -> Survey:
        """Reads and splits everything, so that what is wrong is said before the work begins. Fills ``bad``.

        The documents stay in memory for :meth:`split_documents`, unless they have more than ``hold`` characters. Of a
        table with more than that, or more than ``hold_documents`` rows, what follows is read and split with the work.
        """
        self.bad = BadRecords()
        found: dict[str, str] = {}
        held: list[SplitDocument] | None = []
        documents = sentences = characters = 0
        reading = islice(self._read(self.bad, found if hashes else None), self._limit)
        complete = True
        for document in reading:
            split = how.split(document)
            documents += 1
            sentences += len(split.sentences)
            characters += len(document.text)
            if held is not None:
                held.append(split)
                if self._in_table and (characters > hold or documents >= hold_documents):
                    complete = False
                    break
            if characters > hold:
                held = None
        if hashes and not complete:
            found |= {one.shown: _hash(one, self._options) for one in self.sources if one.shown not in found}
        self._held = held
        self._rest = iter(()) if complete else reading
        return Survey(documents, sentences, found, complete)

    @property
    def _in_table(self) -> bool:
        return self._reading is not None and self._reading.row is not None

    def split_documents(self, how: Splitting) -> Iterator[SplitDocument]:
        """The documents of the survey, split the same way; each is let go of as it is taken."""
        if self._held is None:
            yield from map(how.split, self.documents())
            return
        held, self._held = self._held[::-1], None
        while held:
            yield held.pop()
        yield from map(how.split, self._rest)

    def documents(self, *, count_bad: bool = False) -> Iterator[Document]:
        """The documents that can be read. ``count_bad``: there was no survey; fills ``bad`` on the way."""
        return islice(self._read(self.bad if count_bad else BadRecords(), None), self._limit)

    def _read(self, bad: BadRecords, hashes: dict[str, str] | None) -> Iterator[Document]:
        if self._text is not None:
            document, digest = typed_document(self._text)
            if hashes is not None:
                hashes[TEXT_OPTION] = digest
            yield document
        ids = DocumentIds()
        for source in self.sources:
            try:
                if hashes is not None:
                    hashes[source.shown] = _hash(source, self._options)
                for document in self._documents_of(source, bad):
                    try:
                        ids.add(document.id, source)
                    except BadInputError as error:
                        named = error if self._reading is None else self._reading.with_row(error)
                        if not self._skip_bad:
                            raise named from error
                        bad.add(named, "")
                    else:
                        yield document
            except BadInputError as error:
                guess = self.guesses.get(source.shown)
                reason = (
                    error.reason
                    if guess is None or guess in TABLES
                    else f"{error.reason} (read as {guess}; another: --format)"
                )
                told = BadInputError(
                    reason, path=source.name(error.path), line=error.line, unit=error.unit, key=error.key
                )
                if not self._skip_bad:
                    raise told from error
                bad.add(told, "")

    def _documents_of(self, source: InputFile, bad: BadRecords) -> Iterator[Document]:
        name = "sql" if source.database else self._format or self._guess(source)
        self._reading = None
        refused = BadRecords()
        if self._options.log is not None:
            self._options.log.names[source.path] = source.shown
        reading = read_documents(
            source.path,
            format=name,
            skip_bad=refused if self._skip_bad else None,
            stem=source.stem or None,
            options=self._options if not source.database else replace(self._options, database=source.database),
        )
        self._reading = reading
        for document in reading:
            yield replace(document, id=source.id) if name in NAMED_BY_FILE else document
            bad.take(refused, source.name)
        bad.take(refused, source.name)

    def _guess(self, source: InputFile) -> str:
        name = _guess(source, self._options)
        if name != "text":
            self.guesses[source.shown] = name
        return name

    def guess_lines(self) -> Iterator[str]:
        """What the files were taken for, where it is not plain text: a line a file, of many the first ones.

        Tables are not among them: their readers say more.
        """
        guesses = {shown: name for shown, name in self.guesses.items() if name not in TABLES}
        for number, (shown, name) in enumerate(guesses.items()):
            if number == _MOST_GUESSES:
                names = sorted(set(guesses.values()))
                yield f"{len(guesses) - number:,} more files read as {', '.join(names)}"
                return
            yield f"{shown}: read as {name}"


def _hash(source: InputFile, options: ReadOptions) -> str:
    if source.database:
        return hashlib.sha256(repr((source.shown, options.table.query)).encode("utf-8")).hexdigest()
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
    tables: bool = False,
    on_remark: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[InputFile, ...]]:
    """The sources that the arguments name, none for ``text``; a copy of standard input lives until the block ends.

    ``outputs`` are the files that the run writes, by their options; ``tables``: those in folders are read too;
    ``on_remark`` gets which files of folders are not read. UserError for an argument that is no path, for an input that
    is an output, and when there is nothing to annotate.
    """
    if (text is None) == (not arguments):
        raise UserError(
            "give either INPUT or --text" if arguments else "nothing to annotate: give files, folders, - or --text TEXT"
        )
    if text is not None:
        yield ()
        return
    with TemporaryDirectory(prefix=_SCRATCH) as scratch:
        found = find_sources(arguments, outputs or {}, Path(scratch), stdin, tables=tables)
        for remark in found.remarks():
            on_remark(remark)
        yield tuple(found.sources)


def discard_copies(sources: Sequence[InputFile]) -> None:
    """Removes what was copied from a pipe: for a process that ends at once."""
    for source in sources:
        for parent in source.path.parents:
            if parent.parent == Path(gettempdir()) and parent.name.startswith(_SCRATCH):
                rmtree(parent, ignore_errors=True)


def standard_input() -> BinaryIO | None:
    """Standard input in bytes; None where it is closed."""
    return None if sys.stdin is None else sys.stdin.buffer
