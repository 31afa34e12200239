"""`medner convert`: a corpus from one format into another."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medner.core.errors import UserError
from medner.core.files.paths import readable_path
from medner.service.cli.read_options import with_table_options
from medner.store.corpora.reading.read_options import NO_OPTIONS, ReadOptions

if TYPE_CHECKING:
    from medner.core.labels import LabelSet
    from medner.core.records import AnnotatedDocument, Document
    from medner.service.inputs.corpus_inputs import CorpusInput
    from medner.store.corpora import BadRecord, BadRecords, Layout, Reading, Writing

_FHIR = "fhir"
_HELP = """Convert corpora between CMeEE, CCKS2019, JSON lines, BIO, brat, Label Studio, doccano, INCEpTION; to FHIR.

The command detects an input's format from its name and content, unless --from names it. It checks every entity \
against its text, and counts and reports what the new format cannot hold, for example nested entities in BIO.

    medner convert train.json --to bio --labels cmeee-v2 -o train.bio

    medner convert notes.jsonl --to brat -o notes/

    cat notes.jsonl | medner convert - --to cmeee -o notes.json

    medner convert results.jsonl --to fhir --labels cmeee-v2 -o bundle.json

    medner convert broken.json --to jsonl --skip-bad -o good.jsonl

The last example writes the bad records, each with its reason, to good.jsonl.bad.jsonl.

Exit code: 0 done; 1 done, but bad records were skipped; 2 wrong input or option; 3 the disk failed.
"""


@dataclass(slots=True)
class _Inputs:
    """The inputs, read one after the other."""

    corpora: list[CorpusInput]
    format: str | None
    labels: LabelSet | None
    bad: BadRecords | None
    options: ReadOptions = NO_OPTIONS
    readings: list[Reading] = field(default_factory=list)

    def open(self) -> None:
        """Opens all inputs, so that a missing file or an unknown format is an error before anything is written."""
        from medner.store.corpora import TABLES

        for corpus in self.corpora:
            reading = corpus.reading(format=self.format, labels=self.labels, bad=self.bad, options=self.options)
            if reading.guessed and reading.format.name not in TABLES:
                typer.echo(f"{corpus.source.shown}: read as {reading.format.name}", err=True)
            self.readings.append(reading)

    def documents(self) -> Iterator[Document]:
        """All documents in order, no two with one id."""
        from medner.service.inputs.document_ids import DocumentIds

        ids = DocumentIds()
        for corpus, reading in zip(self.corpora, self.readings, strict=True):
            yield from corpus.documents(reading, ids, self.bad)

    def annotated(self) -> Iterator[AnnotatedDocument]:
        """All documents in order, with how their entities came about where the input says so."""
        from medner.core.records import AnnotatedDocument
        from medner.service.inputs.document_ids import DocumentIds

        ids = DocumentIds()
        for corpus, reading in zip(self.corpora, self.readings, strict=True):
            for document in corpus.documents(reading, ids, self.bad):
                yield AnnotatedDocument(document, reading.annotations)

    def shown_bad(self) -> list[BadRecord]:
        """The refused records, under the names of the inputs that the user knows."""
        known = {str(corpus.source.path): corpus.source.shown for corpus in self.corpora}
        return [replace(record, path=known.get(record.path, record.path)) for record in self.bad or ()]


def register(app: typer.Typer) -> None:
    """Adds `medner convert`."""
    app.command("convert", help=_HELP)(convert)


@with_table_options
def convert(  # noqa: PLR0913 - one parameter an option
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT",
            readable=False,
            help="Files, folders of text, brat or INCEpTION files, or - for standard input.",
        ),
    ],
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="cmeee, ccks, jsonl, text, bio, brat, label-studio, doccano, webanno-tsv, cas-json, cas-xmi or fhir.",
        ),
    ],
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="FORMAT", help="The inputs' format; by default detected from name and content."),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="NAME|FILE",
            help="Label set to check and name labels, for example cmeee-v2 (medner labels list).",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="File (or folder, for brat, text and INCEpTION); without it, standard output.",
        ),
    ] = None,
    fhir_mapping: Annotated[
        Path | None,
        typer.Option(
            "--fhir-mapping",
            metavar="FILE",
            help="For --to fhir: which resources the types become; by default the mapping that ships for --labels.",
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Go on after bad records and write them to OUT.bad.jsonl.")
    ] = False,
    options: ReadOptions,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON on standard output.")] = False,
) -> None:
    from medner.core.labels import load_label_set
    from medner.service.inputs.annotation_inputs import standard_input
    from medner.service.inputs.corpus_inputs import open_corpora
    from medner.store.corpora import BadRecords
    from medner.store.corpora.registry import format_named

    if to != _FHIR:
        format_named(to)
    if (fhir_mapping is not None) and to != _FHIR:
        raise UserError("--fhir-mapping: is for --to fhir")
    if to == _FHIR and output is None:
        raise UserError("--to fhir needs -o FILE: .json for one Bundle, .ndjson for a Bundle a document")
    if output is None and (as_json or skip_bad):
        raise UserError(f"{'--json' if as_json else '--skip-bad'} needs -o OUT: standard output holds the documents")
    label_set = load_label_set(labels) if labels else None
    if options.log is not None:
        options.log.provenance = to != _FHIR
    outputs = {"-o": output, "the file of bad records": _beside(output) if output and skip_bad else None}
    with open_corpora(inputs, outputs, standard_input(), on_remark=lambda line: typer.echo(line, err=True)) as corpora:
        source = _Inputs(corpora, from_, label_set, BadRecords() if skip_bad else None, options)
        source.open()
        if to == _FHIR and output is not None:
            writing = _write_fhir(source, output, fhir_mapping)
        else:
            writing = _write(source, to, output)
    if source.bad and output is not None:
        _write_bad(source.shown_bad(), _beside(output))
    _report(source, writing, output, as_json=as_json)
    if source.bad:
        raise typer.Exit(1)


def _write(source: _Inputs, to: str, output: Path | None) -> Writing:
    from medner.store.corpora import write_documents

    documents = source.documents()
    first = next(documents, None)
    # Only now does the first input know its layout.
    started = documents if first is None else chain((first,), documents)
    return write_documents(
        started, output or sys.stdout, format=to, labels=source.labels, layout=_layout(source.readings[0], to)
    )


def _write_fhir(source: _Inputs, output: Path, mapping: Path | None) -> Writing:
    """Writes FHIR Bundles, with decisions and scores where the inputs are results of medner."""
    from medner.store.corpora import Layout, Writing
    from medner.store.corpora.fhir.files import fhir_file

    writing = Writing(source.labels, Layout())
    with fhir_file(output, mapping, source.labels) as bundle:
        for document in source.annotated():
            writing.documents += 1
            before = bundle.writer.resources
            bundle.add(document)
            writing.entities += bundle.writer.resources - before
    for remark in bundle.remarks():
        typer.echo(remark, err=True)
    return writing


def _layout(reading: Reading, to: str) -> Layout:
    from medner.store.corpora import Layout

    return reading.layout if reading.format.name == to else Layout(own_ids=reading.layout.own_ids)


def _beside(output: Path) -> Path:
    return output.with_name(output.name + ".bad.jsonl")


def _write_bad(bad: Iterable[BadRecord], path: Path) -> None:
    from medner.core.files.atomic import replacing_file

    with replacing_file(path) as out:
        out.writelines(record.to_line() + "\n" for record in bad)


def _report(source: _Inputs, writing: Writing, output: Path | None, *, as_json: bool) -> None:
    notes = sum((reading.notes for reading in source.readings), start=Counter())
    dropped = sum((one.dropped_keys + one.provenance for one in source.readings), start=Counter())
    bad = source.shown_bad()
    if as_json:
        report = {
            "inputs": [
                {
                    "path": corpus.source.shown,
                    "format": one.format.name,
                    "documents": one.documents,
                    "entities": one.entities,
                }
                for corpus, one in zip(source.corpora, source.readings, strict=True)
            ],
            "output": readable_path(output) if output else None,
            "documents": writing.documents,
            "entities": writing.entities,
            "losses": {loss.name.lower(): count for loss, count in writing.losses.items()},
            "notes": {note.name.lower(): count for note, count in notes.items()},
            "dropped_keys": dict(dropped),
            "bad_records": len(bad),
            "bad_file": readable_path(_beside(output)) if bad and output else None,
        }
        typer.echo(json.dumps(report, ensure_ascii=False))
        return
    for line in _lines(writing):
        typer.echo(line, err=True)
    for record in bad[:10]:
        typer.echo(f"bad: {record}", err=True)
    if bad and output:
        typer.echo(f"bad records skipped: {len(bad):,}; they and their reasons are in {_beside(output)}", err=True)


def _lines(writing: Writing) -> Iterator[str]:
    documents = "1 document" if writing.documents == 1 else f"{writing.documents:,} documents"
    entities = "1 entity" if writing.entities == 1 else f"{writing.entities:,} entities"
    yield f"{documents} with {entities}"
    for loss, count in writing.losses.items():
        yield f"lost: {count:,} {loss}"
