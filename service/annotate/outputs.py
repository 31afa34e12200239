"""Where annotated documents go: a JSON lines file, standard output, a table of entities, FHIR, an HTML page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TextIO

from medner.core.errors import UserError
from medner.core.files.atomic import part_of, replacing_file
from medner.core.labels import LabelSet
from medner.core.records import AnnotatedDocument
from medner.service.annotate.terminal import plain_view
from medner.service.page.page import Language, render_page
from medner.store.corpora import annotated_to_line
from medner.store.corpora.entity_tables.forms import FORMS, form_of
from medner.store.corpora.entity_tables.rows import entity_rows
from medner.store.corpora.entity_tables.table import entity_table
from medner.store.corpora.fhir.files import check_path, fhir_file
from medner.store.corpora.fhir.mapping import FhirMapping, load_mapping

Emit = Callable[[AnnotatedDocument], None]


@dataclass(frozen=True, slots=True)
class Page:
    """An HTML page to write: its place, and what stands on it beside the documents."""

    path: Path
    configuration: Mapping[str, str]
    notice: str | None
    language: Language


@dataclass(frozen=True, slots=True)
class FhirBundle:
    """A file of FHIR Bundles to write, and the file of its mapping; None: the one of the label set."""

    path: Path
    mapping: Path | None = None

    def check(self, labels: LabelSet) -> FhirMapping:
        """The mapping. UserError where it cannot be used, or the file's name says no form."""
        check_path(self.path)
        return load_mapping(self.mapping, labels)


def fhir_bundle(path: Path | None, mapping: Path | None) -> FhirBundle | None:
    """The file of the options --fhir and --fhir-mapping. UserError for a mapping of nothing."""
    if path is None and mapping is not None:
        raise UserError("--fhir-mapping: is for --fhir FILE")
    return None if path is None else FhirBundle(path, mapping)


@dataclass(frozen=True, slots=True)
class RunOutputs:
    """Where documents go. ``output`` and the page appear whole, when all documents are there.

    Standard output gets JSON lines with ``as_json``, else a readable view if there is no other output; ``heading``
    puts the document's id over each. ``table`` is a table of the entities, with the columns ``kept`` of the inputs,
    ``fhir`` a file of FHIR Bundles. Documents stay in memory only for a page. ``on_remark`` gets what table and Bundle
    cannot hold.
    """

    labels: LabelSet
    stdout: TextIO
    output: Path | None = None
    as_json: bool = False
    heading: bool = False
    page: Page | None = None
    table: Path | None = None
    kept: tuple[str, ...] = ()
    fhir: FhirBundle | None = None
    on_remark: Callable[[str], None] = lambda _: None

    @property
    def _files(self) -> list[Path]:
        apart = [one.path for one in (self.page, self.fhir) if one is not None]
        named = (self.output, self.table, *apart)
        return [path for path in named if path is not None]

    def check(self) -> None:
        """UserError when a file could not be written at the end, so that it is said at the beginning."""
        if self.output is not None and self.output.suffix.lower() in FORMS:
            raise UserError(
                f"-o {self.output}: is written as JSON lines; for a table of entities: --table {self.output}"
            )
        if self.table is not None:
            form_of(self.table)
        if self.fhir is not None:
            self.fhir.check(self.labels)
        targets = self._files
        for path in targets:
            if path.is_dir():
                raise UserError(f"{path}: is a folder; name a file")
            if not path.resolve().parent.is_dir():
                raise UserError(f"{path}: cannot be written: there is no folder {path.parent}")
            if (path.is_file() or not path.exists()) and not os.access(path.resolve().parent, os.W_OK):
                raise UserError(f"{path}: cannot be written: no permission to write in {path.parent}")
        if len({path.resolve() for path in targets}) < len(targets):
            raise UserError(f"{targets[0]}: is named for two outputs; give each a file of its own")

    @contextmanager
    def opened(self) -> Iterator[Emit]:
        """A function that takes the documents in order."""
        kept: list[AnnotatedDocument] = []
        with ExitStack() as stack:
            outs = [self.stdout] if self.as_json else []
            if self.output is not None:
                _sweep(self.output)
                outs.append(stack.enter_context(replacing_file(self.output)))
            table = None
            if self.table is not None:
                _sweep(self.table)
                table = stack.enter_context(entity_table(self.table, self.kept))
            bundle = None
            if self.fhir is not None:
                _sweep(self.fhir.path)
                mapping = self.fhir.check(self.labels)
                bundle = stack.enter_context(fhir_file(self.fhir.path, mapping, self.labels))

            def emit(document: AnnotatedDocument) -> None:
                lines = self._lines(document, in_json=bool(outs))
                text = "".join(line + "\n" for line in lines)
                for out in outs or [self.stdout]:
                    out.write(text)
                self.stdout.flush()
                if table is not None:
                    placed = bool(document.document.places)
                    table.add(document.document.kept, entity_rows(document, self.labels), has_places=placed)
                if bundle is not None:
                    bundle.add(document)
                if self.page is not None:
                    kept.append(document)

            yield emit
            if self.page is not None:
                self._write_page(self.page, kept)
            for written in (table, bundle):
                for remark in () if written is None else written.remarks():
                    self.on_remark(remark)

    def _lines(self, document: AnnotatedDocument, *, in_json: bool) -> Iterable[str]:
        """What is written of a document to the streams: JSON, or where no file takes the result what people read."""
        if in_json:
            return [annotated_to_line(document)]
        shows = self.table is None and self.fhir is None
        return plain_view(document, self.labels, heading=self.heading) if shows else ()

    def discard(self) -> None:
        """Removes what this process has half written."""
        for path in self._files:
            with suppress(OSError):
                part_of(path).unlink()

    def _write_page(self, page: Page, documents: list[AnnotatedDocument]) -> None:
        title = f"{documents[0].document.id} · medner" if len(documents) == 1 else "medner"
        html = render_page(
            documents,
            self.labels,
            title=title,
            configuration=page.configuration,
            notice=page.notice,
            language=page.language,
        )
        with replacing_file(page.path) as out:
            out.write(html)


def _sweep(output: Path) -> None:
    """Removes half-written outputs of runs that were killed; the caller holds the output's lock."""
    output = output.resolve()
    for part in output.parent.glob(f".{escape(output.name)}.*.part"):
        number = part.name.removesuffix(".part").rpartition(".")[2]
        with suppress(OSError):
            if number.isdecimal() and not _runs(int(number)):
                part.unlink()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
