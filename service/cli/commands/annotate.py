"""`medner annotate`: entities in texts, files and folders."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medner.core.choices import TracePolicy
from medner.service.cli.bounds import MOST_DAYS, not_empty
from medner.service.cli.configuration_options import ConfigurationOptions, with_configuration
from medner.service.cli.exit_codes import ReportedExit
from medner.service.cli.options import (
    Format,
    InputsIfAny,
    Limit,
    OldAnswers,
    SkipBad,
    Trace,
)
from medner.service.cli.read_options import with_old_answers, with_table_options
from medner.store.corpora.reading.read_options import ReadOptions

if TYPE_CHECKING:
    from medner.service.config.options import Overrides

HELP = """Find medical entities in Chinese clinical text: files, folders, standard input or a text.

Several taggers tag every sentence; a judge decides where they disagree. Without -o the command prints the result. \
With -o it writes JSON lines, one document a line, with each tagger's answer and the reason why an entity was kept. \
With --table it writes a table, a row an entity, for Excel and the like; with --fhir FHIR resources.

\b
Examples:
  medner annotate --text '患者因反复胸痛3天入院，既往高血压病史。'
  medner annotate notes/ -o notes.jsonl --html notes.html
  medner annotate train.json --format cmeee --limit 20 --json
  cat note.txt | medner annotate - --labels ccks2019
  medner annotate notes/ -o out.jsonl --taggers span-8,symbol
  medner annotate notes/ -o other.jsonl --answers out.jsonl --judge hard-vote
  medner annotate notes/ -o out.jsonl --trace conflicts
  medner annotate 病历.csv --text-column 主诉 --id-column 住院号 --keep 科室 --table entities.xlsx
  medner annotate 入院记录.docx 检查报告.pdf --table entities.xlsx
  medner annotate 入院记录.xml --fhir bundle.json
  medner annotate env:EMR_URL --query 'SELECT id, note FROM notes' --text-column note --table out.csv
  medner annotate notes/ -o out.jsonl --taggers symbol --server http://127.0.0.1:8101

--answers takes the taggers' answers from an earlier result: only filter and judge run. After --trace, medner traces \
show last/1 shows how a sentence was decided. If a run with -o or --table was stopped (Ctrl-C) or crashed, the same \
command goes on from OUT.journal.

Exit code: 0 done; 1 done, but sentences failed or inputs were skipped; 2 wrong input or option; 3 disk or model \
failed; 130 stopped.
"""


class Language(StrEnum):
    """The language of the page and of notices."""

    ZH = "zh"
    EN = "en"


def register(app: typer.Typer) -> None:
    """Adds the subcommand."""
    app.command("annotate", help=HELP)(annotate)


@with_table_options
@with_configuration
def annotate(  # noqa: PLR0913  the options of a command are its parameters
    context: typer.Context,
    inputs: InputsIfAny = None,
    *,
    text: Annotated[str | None, typer.Option("--text", metavar="TEXT", help="A text to annotate, in quotes.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT", help="Write the result to this file, as JSON lines.")
    ] = None,
    format_: Format = None,
    configuration: ConfigurationOptions,
    answers: Annotated[
        list[Path] | None,
        typer.Option(
            "--answers",
            metavar="FILE",
            help="Take the taggers' answers from an earlier result (-o) on the same texts, to try another filter or "
            "judge; repeatable.",
        ),
    ] = None,
    said: OldAnswers = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            metavar="FILE",
            help="Write the entities as a table, a row an entity: .xlsx (Excel), .csv, .tsv or .parquet.",
        ),
    ] = None,
    fhir: Annotated[
        Path | None,
        typer.Option(
            "--fhir",
            metavar="FILE",
            help="Write the entities as FHIR resources: one Bundle (.json), or a Bundle a document (.ndjson).",
        ),
    ] = None,
    fhir_mapping: Annotated[
        Path | None,
        typer.Option(
            "--fhir-mapping",
            metavar="FILE",
            help="Which resources the types become, in TOML; by default the mapping that ships for the label set.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write the result as one HTML page.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON lines, as -o writes them.")] = False,
    language: Annotated[Language, typer.Option("--language", help="Language of the HTML page.")] = Language.ZH,
    skip_bad: SkipBad = False,
    limit: Limit = None,
    options: ReadOptions,
    restart: Annotated[
        bool, typer.Option("--restart", help="Start over: drop the results of an earlier run to the same OUT.")
    ] = False,
    trace: Trace = TracePolicy.NONE,
    traces: Annotated[
        str | None,
        typer.Option(
            "--traces",
            metavar="FILE|URL",
            callback=not_empty,
            help="Where traces are stored: an SQLite file (default: in the data folder), postgresql:// or redis://.",
        ),
    ] = None,
    keep_days: Annotated[
        int | None,
        typer.Option("--keep-days", metavar="N", min=0, max=MOST_DAYS, help="Remove the traces after this many days."),
    ] = None,
    pull: Annotated[bool, typer.Option("--pull", help="Download the base model first, if it is missing.")] = False,
) -> None:
    from medner.service.annotate.outputs import fhir_bundle
    from medner.service.annotate.run import Order, annotate_inputs
    from medner.service.build.trace_recording import TraceOrder
    from medner.service.config.registered_judges import resolved_now

    answers = with_old_answers(answers, said)
    overrides = resolved_now(configuration.overrides(join_lines=options.join_lines, answers=answers))
    if pull:
        _pull(overrides)
    order = Order(
        inputs=tuple(inputs or ()),
        text=text,
        output=output,
        table=table,
        fhir=fhir_bundle(fhir, fhir_mapping),
        html=html,
        as_json=as_json,
        language=language.value,
        format=format_,
        skip_bad=skip_bad,
        limit=limit,
        options=options,
        restart=restart,
        overrides=overrides,
        traces=TraceOrder(trace, traces, keep_days),
    )
    # Tests hand in an engine that needs no model.
    raise typer.Exit(ReportedExit(annotate_inputs(order, engine_factory=context.obj)))


def _pull(overrides: Overrides) -> None:
    from medner.service.cli.commands.models import reporting
    from medner.service.config.configuration import is_path
    from medner.service.config.options import configured
    from medner.store.models import ModelStore

    configuration = configured(overrides)
    for name in dict.fromkeys((configuration.model, *configuration.bases)):
        if not is_path(name):
            with reporting() as report:
                ModelStore().pull(name, progress=report)
