"""`medner evaluate`: predictions scored against gold."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medner.core.errors import UserError
from medner.core.files.atomic import replacing_file
from medner.core.labels import load_label_set
from medner.service.cli.bounds import MOST_SEED
from medner.service.cli.read_options import with_read_options
from medner.service.inputs.overwriting import refuse_overwriting
from medner.store.corpora import ReadOptions, read_documents
from medner.store.corpora.json_formats.scores import entity_scores

if TYPE_CHECKING:
    from medner.core.records import Document
    from medner.evaluation.reports.report import Setting

HELP = """Score PREDICTIONS against GOLD: strict micro precision, recall and F1.

An entity is right if its start, end and type are all right. Documents are matched by id, else by their text. In a \
gold document without a prediction all entities count as missed, and the report names it.

The report has the scores with bootstrap intervals, scores of each type and of nested entities, the five error \
classes, the distance of boundary errors, and how well the entities' own scores are calibrated. With several \
prediction files it is a table of systems.

\b
Examples:
  medner evaluate gold.jsonl predictions.jsonl --labels cmeee-v2
  medner evaluate test.json a.jsonl b.jsonl c.jsonl --ensembles
  medner evaluate gold.jsonl predictions.jsonl --html report.html
  medner evaluate gold.jsonl predictions.jsonl --json - > report.json

Exit code: 0 done; 1 done, but bad records were skipped; 2 wrong input or option; 3 the disk failed.
"""

GoldPath = Annotated[Path, typer.Argument(metavar="GOLD", help="The file (or folder) with the gold entities.")]
Labels = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Label set: cmeee-v2, ccks2019, or a .toml file. The report gets its names and order; other labels are "
        "errors.",
    ),
]
GoldFormat = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The format of GOLD (jsonl, cmeee, ccks ...); detected by default."),
]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="NAME", help="The format of the predictions; detected by default."),
]
JsonPath = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE|-", help="Write the report as JSON; `-` prints it instead of the text."),
]
HtmlPath = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the report as one self-contained HTML page.")
]
Seed = Annotated[
    int, typer.Option(min=0, max=MOST_SEED, help="The seed of the resampling; the same seed gives the same intervals.")
]
Resamples = Annotated[int, typer.Option(min=100, max=1_000_000, help="Draws of documents for an interval.")]
ByType = Annotated[bool, typer.Option("--by-type/--no-by-type", help="Show the scores of each type.")]
Commit = Annotated[str, typer.Option(metavar="TEXT", help="The commit that made the predictions; kept in the report.")]
Configuration = Annotated[
    str, typer.Option(metavar="TEXT", help="The configuration that made the predictions; kept in the report.")
]


def register(app: typer.Typer) -> None:
    """Adds the subcommand."""
    app.command("evaluate", help=HELP)(evaluate)


@with_read_options
def evaluate(  # noqa: PLR0913  the options of a command are its parameters
    gold: GoldPath,
    predictions: Annotated[
        list[Path], typer.Argument(metavar="PREDICTIONS", help="One or several files with predicted entities.")
    ],
    *,
    labels: Labels = None,
    gold_format: GoldFormat = None,
    format_: Format = None,
    options: ReadOptions,
    json_: JsonPath = None,
    html: HtmlPath = None,
    seed: Seed = 0,
    resamples: Resamples = 2000,
    by_type: ByType = True,
    ensembles: Annotated[
        bool,
        typer.Option(
            "--ensembles",
            help="Also score the hard vote, the union, the unanimous entities and the oracle of the systems, and count "
            "where they agree. Needs two prediction files or more.",
        ),
    ] = False,
    commit: Commit = "",
    configuration: Configuration = "",
) -> None:
    """Scores predictions and gives out the report."""
    # numpy and jinja2 would slow down the start of every other command
    from medner.evaluation.measures import ensembles as voting
    from medner.evaluation.reports import page, report, structure, wording
    from medner.evaluation.reports import text as text_report

    if ensembles and len(predictions) < 2:
        raise UserError("--ensembles needs two prediction files or more: give one file a system")
    refuse_overwriting(reports(json_, html), [gold, *predictions])
    setting = make_setting(labels, seed=seed, resamples=resamples, commit=commit, configuration=configuration)
    expected = read(gold, gold_format, setting, options)
    named = name_systems(predictions)
    systems = {name: read(path, format_, setting, options) for name, path in named.items()}
    scores = {name: entity_scores(path) for name, path in named.items()}
    agreed = voting.agreement(systems) if ensembles else None
    if ensembles:
        for name, documents in voting.all_ensembles(systems, expected).items():
            systems[free_name(name, systems)] = documents
    evaluation = report.evaluate(expected, systems, setting, gold_name=str(gold), agreement=agreed, scores=scores)
    if html is not None:
        write(html, page.evaluation_page(evaluation, by_type=by_type))
    give_out(
        json_,
        structure.evaluation_json(evaluation),
        text_report.evaluation_text(evaluation, by_type=by_type),
        wording.remarks(evaluation),
    )


def reports(json_: str | None, html: Path | None) -> dict[str, Path | None]:
    """The files that the reports go into, by their options."""
    return {"--json": None if json_ in (None, "-") else Path(str(json_)), "--html": html}


def make_setting(labels: str | None, *, seed: int, resamples: int, commit: str, configuration: str) -> Setting:
    """The setting the options ask for."""
    from medner.evaluation.measures.significance import Resampling
    from medner.evaluation.reports.report import Setting

    return Setting(
        Resampling(seed=seed, resamples=resamples),
        load_label_set(labels) if labels is not None else None,
        commit,
        configuration,
    )


def read(path: Path, format_: str | None, setting: Setting, options: ReadOptions) -> list[Document]:
    """The documents of a file."""
    return list(read_documents(path, format=format_, labels=setting.labels, options=options))


def name_systems(paths: Iterable[Path]) -> dict[str, Path]:
    """Each file by its name without suffix; by its path where names are alike."""
    paths = list(paths)
    stems = [path.stem for path in paths]
    named: dict[str, Path] = {}
    for path in paths:
        name = path.stem if stems.count(path.stem) == 1 else str(path)
        named[free_name(name, named)] = path
    return named


def free_name(name: str, taken: Iterable[str]) -> str:
    """The name, or the name with the first number that makes it different from those taken."""
    taken = set(taken)
    number = 2
    free = name
    while free in taken:
        free = f"{name} ({number})"
        number += 1
    return free


def give_out(json_: str | None, structure: dict[str, Any], text: str, remarks: Iterable[str]) -> None:
    """The text on stdout, or the JSON alone there with the remarks on stderr; the JSON in a file if one is named."""
    if json_ is not None:
        written = json.dumps(structure, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
        if json_ == "-":
            typer.echo(written, nl=False)
            for remark in remarks:
                typer.echo(f"medner: {remark}", err=True)
            return
        write(Path(json_), written)
    typer.echo(text, nl=False)


def write(path: Path, content: str) -> None:
    """Writes a report file and says so on stderr."""
    with replacing_file(path) as out:
        out.write(content)
    typer.echo(f"medner: wrote {path}", err=True)
