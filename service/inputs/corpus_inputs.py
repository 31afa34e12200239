"""Corpora to read one after the other, as `medner convert` does: files, whole folders, and what comes through pipes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from medner.core.errors import BadInputError
from medner.core.files.paths import readable_path
from medner.core.labels import LabelSet
from medner.core.records import Document
from medner.service.inputs.document_ids import DocumentIds
from medner.service.inputs.overwriting import refuse_overwriting
from medner.service.inputs.source_names import NAMED_BY_FILE, InputFile, with_distinct_names, without_paired_texts
from medner.service.inputs.sources import copied_stream, listed
from medner.store.corpora import NO_OPTIONS, BadRecords, Reading, ReadOptions, read_documents
from medner.store.corpora.guessing.guess import INCEPTION_SUFFIXES
from medner.store.corpora.reading.raw_records import files_in


@dataclass(frozen=True, slots=True)
class CorpusInput:
    """An input: where it lies, and how its documents are named.

    ``ids`` are the ids of documents that are files, by the ids their reader gives.
    """

    source: InputFile
    ids: Mapping[str, str] = field(default_factory=dict)

    def reading(
        self,
        *,
        format: str | None,  # noqa: A002
        labels: LabelSet | None,
        bad: BadRecords | None,
        options: ReadOptions = NO_OPTIONS,
    ) -> Reading:
        """Opens the corpus."""
        if options.log is not None:
            options.log.names[self.source.path] = self.source.shown
        stem = self.source.stem or None
        with self._named():
            return read_documents(
                self.source.path, format=format, labels=labels, skip_bad=bad, stem=stem, options=options
            )

    def documents(self, reading: Reading, ids: DocumentIds, bad: BadRecords | None) -> Iterator[Document]:
        """The documents, with ids that no other has. BadInputError for an id of their own that another has."""
        by_file = reading.format.name in NAMED_BY_FILE
        with self._named():
            for document in reading:
                named = replace(document, id=self.ids.get(document.id, document.id)) if by_file else document
                try:
                    ids.add(named.id, self.source)
                except BadInputError as error:
                    if bad is None:
                        raise reading.with_row(error) from error
                    bad.add(reading.with_row(error), "")
                    continue
                yield named

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors call the input what the user calls it."""
        try:
            yield
        except BadInputError as error:
            raise BadInputError(
                error.reason, path=self.source.name(error.path), line=error.line, unit=error.unit, key=error.key
            ) from error


@contextmanager
def open_corpora(
    arguments: Sequence[Path],
    outputs: Mapping[str, Path | None],
    stdin: BinaryIO | None,
    *,
    on_remark: Callable[[str], None],
) -> Iterator[list[CorpusInput]]:
    """The corpora that the arguments name; what comes through pipes (``-`` too) lives until the block ends.

    ``on_remark`` gets which files of folders are not read. UserError for an input that is an output.
    """
    with TemporaryDirectory(prefix="medner-") as scratch:
        places: list[InputFile] = []
        for number, argument in enumerate(dict.fromkeys(arguments)):
            copied = copied_stream(str(argument), Path(scratch) / str(number), stdin)
            places.append(copied or InputFile(argument, readable_path(argument)))
        files = [_files_of(place) for place in places]
        refuse_overwriting(outputs, [one.path for group in files for one in group])
        for place, group in zip(places, files, strict=True):
            if place.path.is_dir() and (unread := _unread(place.path, group)):
                on_remark(f"not read: {listed(unread)}")
        files = [without_paired_texts(group) for group in files]
        named = iter(with_distinct_names([one for group in files for one in group]))
        corpora = []
        for place, group in zip(places, files, strict=True):
            ours = [next(named) for _ in group]
            ids = {short.short_id: long.id for short, long in zip(group, ours, strict=True)}
            stem = ours[0].stem if not place.path.is_dir() and ours else ""
            corpora.append(CorpusInput(replace(place, stem=stem), ids))
        yield corpora


def _files_of(place: InputFile) -> list[InputFile]:
    if not place.path.is_dir():
        return [place]
    groups = (files_in(place.path, suffix) for suffix in (".txt", *INCEPTION_SUFFIXES))
    return [InputFile(path, readable_path(path), place.path) for path in next(filter(None, groups), [])]


def _unread(folder: Path, files: Sequence[InputFile]) -> list[str]:
    """The files of a folder that are neither texts nor their annotations."""
    read = {one.path for one in files} | {one.path.with_suffix(".ann") for one in files}
    return [readable_path(path) for path in files_in(folder, "") if path not in read]
