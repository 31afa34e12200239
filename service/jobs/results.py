"""The results of a job as files: JSON lines, a table of entities, FHIR."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from pathlib import Path

from medner.core.errors import UserError
from medner.core.files.atomic import replacing_file
from medner.core.labels import LabelSet
from medner.core.records import AnnotatedDocument
from medner.service.annotate.outputs import FhirBundle
from medner.service.config.frozen import thaw
from medner.service.inputs.overwriting import refuse_overwriting
from medner.store.corpora import annotated_to_line
from medner.store.corpora.entity_tables.rows import entity_rows
from medner.store.corpora.entity_tables.table import entity_table
from medner.store.corpora.fhir.files import fhir_file
from medner.store.jobs import JobView


async def write_results(
    documents: AsyncIterator[AnnotatedDocument],
    labels: LabelSet | None,
    *,
    output: Path | None,
    table: Path | None,
    fhir: FhirBundle | None = None,
    on_remark: Callable[[str], None],
) -> None:
    """Writes documents as they come; the files appear whole. ``on_remark`` gets what the table cannot hold."""
    refuse_overwriting({"-o": output, "--table": table, "--fhir": None if fhir is None else fhir.path}, [])
    with ExitStack() as stack:
        out = None if output is None else stack.enter_context(replacing_file(output))
        rows = None if table is None else stack.enter_context(entity_table(table))
        bundle = None if fhir is None else stack.enter_context(fhir_file(fhir.path, fhir.mapping, labels))
        async for document in documents:
            if out is not None:
                out.write(annotated_to_line(document) + "\n")
            if rows is not None:
                placed = bool(document.document.places)
                rows.add(document.document.kept, entity_rows(document, labels), has_places=placed)
            if bundle is not None:
                bundle.add(document)
    for path in (output, table, None if fhir is None else fhir.path):
        if path is not None:
            on_remark(f"written: {path}")
    for written in (rows, bundle):
        for remark in () if written is None else written.remarks():
            on_remark(remark)


def labels_of(view: JobView) -> LabelSet | None:
    """The label set of a job; None where a server does not tell it, or it lies on another machine."""
    if view.spec is None or not view.spec.configuration:
        return None
    try:
        return thaw(view.spec.configuration).label_set
    except UserError:
        return None
