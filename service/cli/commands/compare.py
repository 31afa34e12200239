"""`medner compare`: two systems against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medner.service.cli.bounds import MOST
from medner.service.cli.commands import evaluate as scoring
from medner.service.cli.read_options import with_read_options
from medner.service.inputs.overwriting import refuse_overwriting
from medner.store.corpora import ReadOptions

HELP = """Compare the predictions A and B on the same GOLD: is the difference more than chance, and which entities \
differ?

The difference is B minus A, with an interval and a two-sided p-value from the paired bootstrap over documents; the \
second p-value (approximate randomisation) checks the first. Then come the numbers by type, how many entities only \
one system gets right, and the places where the two differ.

\b
Examples:
  medner compare gold.jsonl before.jsonl after.jsonl --labels cmeee-v2
  medner compare gold.jsonl before.jsonl after.jsonl --show 100
  medner compare gold.jsonl before.jsonl after.jsonl --json all.json

Exit code: 0 done; 1 done, but bad records were skipped; 2 wrong input or option; 3 the disk failed.
"""


def register(app: typer.Typer) -> None:
    """Adds the subcommand."""
    app.command("compare", help=HELP)(compare)


@with_read_options
def compare(  # noqa: PLR0913  the options of a command are its parameters
    gold: scoring.GoldPath,
    a: Annotated[Path, typer.Argument(metavar="A", help="The predictions of the first system.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The predictions of the second system.")],
    *,
    labels: scoring.Labels = None,
    gold_format: scoring.GoldFormat = None,
    format_: scoring.Format = None,
    options: ReadOptions,
    json_: scoring.JsonPath = None,
    html: scoring.HtmlPath = None,
    seed: scoring.Seed = 0,
    resamples: scoring.Resamples = 2000,
    by_type: scoring.ByType = True,
    show: Annotated[
        int, typer.Option(min=0, max=MOST, metavar="N", help="How many differing places to show in the text.")
    ] = 20,
    commit: scoring.Commit = "",
    configuration: scoring.Configuration = "",
) -> None:
    """Compares two systems and gives out the report."""
    from medner.evaluation.reports import page, report, structure, wording
    from medner.evaluation.reports import text as text_report

    refuse_overwriting(scoring.reports(json_, html), [gold, a, b])
    setting = scoring.make_setting(labels, seed=seed, resamples=resamples, commit=commit, configuration=configuration)
    expected = scoring.read(gold, gold_format, setting, options)
    systems = {
        name: scoring.read(path, format_, setting, options) for name, path in scoring.name_systems([a, b]).items()
    }
    comparison = report.compare(expected, systems, setting, gold_name=str(gold))
    if html is not None:
        scoring.write(html, page.comparison_page(comparison, by_type=by_type))
    scoring.give_out(
        json_,
        structure.comparison_json(comparison),
        text_report.comparison_text(comparison, show=show, by_type=by_type),
        wording.remarks(comparison),
    )
