"""What a corpus format is, and what a reading or a writing of it carries along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from medner.core.characters import is_blank
from medner.core.errors import BadInputError, Unit, UserError
from medner.core.files.paths import readable_path
from medner.core.labels import LabelSet
from medner.core.records import Annotation, Document, Entity, KeptValue
from medner.store.corpora.reading.bad_records import BadRecords
from medner.store.corpora.reading.notes import Loss, Note
from medner.store.corpora.reading.read_options import NO_OPTIONS, ReadOptions

#: So many rows that a note is about are named.
_NAMED_ROWS = 5


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file was laid out, where its format leaves a choice; a rewrite with the same layout changes nothing.

    ``end_inclusive``: CMeEE's ``end_idx`` is the last character, not the one after it. ``chinese_names``: labels
    are written as Chinese names, not codes; None follows the format's habit. ``own_ids``: the ids are the
    documents' own, not made up from the file name. ``record_lines`` and ``indent`` are the style of a JSON
    array. ``lines``: JSON records are lines, not an array; None follows the format's habit. ``id_key``: the key that
    the ids were read from.
    """

    end_inclusive: bool = True
    bom: bool = False
    newline: str = "\n"
    final_newline: bool = True
    record_lines: bool = True
    indent: int | None = None
    chinese_names: bool | None = None
    own_ids: bool = True
    overlap_key: bool = False
    predictions: bool = False
    lines: bool | None = None
    id_key: str | None = None


@dataclass(frozen=True, slots=True)
class Mention:
    """An entity as a file states it, end-exclusive; ``text`` is the entity string, where the file has one."""

    start: int
    end: int
    label: str
    text: str | None
    key: str


class Reading(Iterator[Document]):
    """The documents of a file or folder, one after the other, and what was met on the way.

    ``annotators`` says of documents that are one annotator's which document it is of, and whose.
    ``layout``, ``notes``, ``dropped_keys``, ``documents`` and ``entities`` are complete when the iteration ends;
    ``layout`` is settled with the first document. ``unread`` counts dropped keys that seem to hold annotation, and
    ``provenance`` those of medner's own files that say how the entities came about. ``stem`` begins the ids of records
    without an id. ``row`` is that of the last document where they are rows of a table, ``annotations`` how the entities
    of the last document came about, where the file says so.
    """

    def __init__(
        self,
        path: Path,
        format: Format,  # noqa: A002
        *,
        labels: LabelSet | None,
        bad: BadRecords | None,
        guessed: bool,
        options: ReadOptions = NO_OPTIONS,
    ) -> None:
        self.path = path
        self.stem = readable_path(path.stem)
        self.format = format
        self.guessed = guessed
        self.labels = labels
        self.options = options
        self.layout = Layout()
        self.notes: Counter[Note] = Counter()
        self.noted_rows: dict[Note, list[int]] = {}
        self.dropped_keys: Counter[str] = Counter()
        self.unread: Counter[str] = Counter()
        self.provenance: Counter[str] = Counter()
        self.documents = 0
        self.entities = 0
        self.unit: Unit = "line"
        self.row: int | None = None
        self.annotators: dict[str, tuple[str, str]] = {}
        self.annotations: tuple[Annotation, ...] = ()
        self._ended = False
        self._bad = bad
        self._source = format.read(self)

    def __next__(self) -> Document:
        try:
            document = next(self._source)
        except StopIteration:
            self._end()
            raise
        self.documents += 1
        self.entities += len(document.entities)
        return document

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        lost = [*map(repr, self.unread), *(str(note) for note in (Note.NO_LABEL, Note.NO_PLACE) if self.notes[note])]
        if lost and not self.entities and self.options.text_key is None:
            self.refuse(self.error(self._why_empty(lost), None), "")
        if self.options.log is not None:
            self.options.log.take(self)

    def _why_empty(self, lost: list[str]) -> str:
        expected = f" ({self.format.name} has {self.format.expects})" if self.format.expects else ""
        return (
            f"no entity was read, but there is what looks like annotation: {', '.join(lost)}"
            f"{expected}; name the right format, convert the file, or take the texts alone with --text-key"
        )

    def drop_keys(self, keys: Iterable[str] | None) -> None:
        """Counts keys of a record that have no place in a document."""
        self.dropped_keys.update(list(keys or ()))

    def note_row(self, note: Note, row: int) -> None:
        """Counts a row of a table that is no error and that the user should know; the first ones are named."""
        self.notes[note] += 1
        rows = self.noted_rows.setdefault(note, [])
        if len(rows) < _NAMED_ROWS:
            rows.append(row)

    def tell(self, line: str) -> None:
        """Says how the file is read, before the first document; once, however often the file is read."""
        if self.options.log is not None:
            self.options.log.tell(self, line)

    def set_layout(self, layout: Layout) -> None:
        """Takes over what a reader found out about the file's layout."""
        self.layout = layout

    @property
    def skips_bad(self) -> bool:
        """Whether bad records are kept aside rather than raised."""
        return self._bad is not None

    def refuse(self, error: BadInputError, raw: str) -> None:
        """Raises the error, or keeps it with the raw record where bad records are to be skipped."""
        if self._bad is None:
            raise error
        self._bad.add(error, raw)

    def made_up_id(self, number: int) -> str:
        """The id of a record without one: the file's name and the record's place, from 1."""
        self.layout = replace(self.layout, own_ids=False)
        return f"{self.stem}-{number}"

    def document(
        self,
        id: str,  # noqa: A002
        text: str,
        mentions: Iterable[Mention],
        *,
        line: int | None,
        kept: tuple[tuple[str, KeptValue], ...] = (),
    ) -> Document:
        """A document whose entities were all checked against the text; BadInputError at the first that is wrong."""
        entities = [self.check(mention, text, line=line) for mention in mentions]
        document = Document(id, text, tuple(entities), kept)
        self.notes[Note.REPEATED] += len(entities) - len(document.entities)
        for entity in document.entities:
            self.notes[Note.EDGE_WHITE] += is_blank(text[entity.start]) or is_blank(text[entity.end - 1])
        return document

    def check(self, mention: Mention, text: str, *, line: int | None = None) -> Entity:
        """The mention as an entity; BadInputError unless it is literally there and its label is known."""
        start, end = mention.start, mention.end
        if not 0 <= start < end <= len(text):
            raise self.error(
                f"[{start}, {end}) is not a span of the text, which has {len(text)} characters", line, mention.key
            )
        if mention.text is not None and text[start:end] != mention.text:
            raise self.error(
                f"the entity is said to be {_short(mention.text)}, but [{start}, {end}) of the text is "
                f"{_short(text[start:end])}{_other_end(mention, text)}",
                line,
                mention.key,
            )
        return Entity(start, end, self._label(mention, line))

    def _label(self, mention: Mention, line: int | None) -> str:
        if not mention.label:
            raise self.error("the label is empty", line, mention.key)
        if self.labels is None:
            return mention.label
        code = self.labels.resolve(mention.label)
        if code is None:
            raise self.error(
                f"unknown label {mention.label!r}; label set {self.labels.name!r} has {', '.join(self.labels.codes)} "
                "(another label set: --labels)",
                line,
                mention.key,
            )
        if self.layout.chinese_names is None:
            self.layout = replace(self.layout, chinese_names=mention.label != code)
        return code

    def with_row(self, error: BadInputError) -> BadInputError:
        """An error about the document that was read last, with its row where documents are rows of a table."""
        if self.row is None:
            return error
        key = self.options.id_key or error.key
        return BadInputError(error.reason, path=error.path, line=self.row, unit="row", key=key)

    def error(self, reason: str, line: int | None, key: str | None = None) -> BadInputError:
        """The error for a record of this file."""
        return BadInputError(reason, path=self.path, line=line, unit=self.unit, key=key)


@dataclass(slots=True)
class Writing:
    """A file being written: its layout, the label set that names the types, and what could not be held."""

    labels: LabelSet | None
    layout: Layout
    documents: int = 0
    entities: int = 0
    losses: Counter[Loss] = field(default_factory=Counter)

    def count(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents, counted as they pass."""
        for document in documents:
            self.documents += 1
            self.entities += len(document.entities)
            yield document

    def label(self, code: str, *, chinese: bool = False) -> str:
        """The label as it stands in the file: the code, or the Chinese name where the layout or habit asks for it."""
        if self.labels is None:
            return code
        known = self.labels.type_of(code)
        wanted = chinese if self.layout.chinese_names is None else self.layout.chinese_names
        return known.name if wanted else known.code

    def mark_before(self, start: str) -> str:
        """The byte order mark of a file that begins with ``start``.

        A text of its own accord beginning with U+FEFF gets one too, or the reader would take its first character
        for the mark.
        """
        return "\ufeff" if self.layout.bom or start.startswith("\ufeff") else ""

    def id_where_kept(self, document: Document) -> dict[str, str | int]:
        """The id under the key that the file had it in, for a format without ids; none, and the loss counted, else."""
        if self.layout.id_key is None:
            self.lose_id()
            return {}
        return {self.layout.id_key: number_or_text(document.id)}

    def lose_id(self) -> None:
        """Counts a document id that has no place in the format, unless it was made up anyway."""
        self.losses[Loss.IDS] += self.layout.own_ids


@dataclass(frozen=True, slots=True)
class Format:
    """A corpus format: how it is read, and how it is written to one file, to a folder, or either.

    ``expects`` says where its entities are, for the error when there are none. ``file_suffixes``: how targets end that
    are one file, where a folder could be written too.
    """

    name: str
    title: str
    read: Callable[[Reading], Iterator[Document]]
    write_stream: Callable[[Iterable[Document], TextIO, Writing], None] | None = None
    write_folder: Callable[[Iterable[Document], Path, Writing], None] | None = None
    expects: str = ""
    file_suffixes: tuple[str, ...] = (".txt", ".text", ".md")

    def goes_into_folder(self, target: Path) -> bool:
        """Whether writing to ``target`` makes a folder of files."""
        return self.write_folder is not None and (
            self.write_stream is None or target.suffix.lower() not in self.file_suffixes
        )

    def stream_writer(self) -> Callable[[Iterable[Document], TextIO, Writing], None]:
        """The writer to one file; UserError when the format is a folder of files, or is read alone."""
        if self.write_stream is None and self.write_folder is None:
            raise UserError(f"{self.name} is read here, not written; give another format")
        if self.write_stream is None:
            raise UserError(f"{self.name} is a folder of files: name the folder with -o")
        return self.write_stream


def number_or_text(id: str) -> str | int:  # noqa: A002
    """The id as the whole number it spells, else as it is; either way ``str()`` gives it back."""
    return int(id) if id.isascii() and id.isdigit() and len(id) <= 18 and str(int(id)) == id else id


def _other_end(mention: Mention, text: str) -> str:
    """The way out where the string is there under the other reading of the end; else nothing."""
    for past, name in ((1, "inclusive"), (-1, "exclusive")):
        if text[mention.start : mention.end + past] == mention.text:
            return f" (it would fit with {name} ends: --end {name})"
    return ""


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
