"""`medner report`: the paper's tables and figures from prediction files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medner.core.errors import ExternalError, UserError
from medner.service.cli.commands.evaluate import Resamples, Seed, write
from medner.service.cli.read_options import logged_options

if TYPE_CHECKING:
    from medner.evaluation.paper.report import PaperReport

PAPER_HELP = """Write the paper's tables 3 to 9, 11 and 12 and its figures 4 to 6 for your models.

A MANIFEST is a TOML file that names a label set, a gold file and prediction files with their roles \
(examples/paper/cmeee-v2.toml explains every key). FOLDER gets paper.html, one self-contained page with the figures, \
and paper.md. Every number has n and a bootstrap interval, with the paper's number beside it; rows without a \
prediction file have "not measured". Several manifests, one for each data set, make one report.

\b
Examples:
  medner report paper examples/paper/cmeee-v2.toml -o report
  medner report paper cmeee-v2.toml ccks2019.toml -o report --seed 1

Exit code: 0 done; 2 wrong manifest or option; 3 the disk failed.
"""

report_app = typer.Typer(no_args_is_help=True, help="Write reports on several systems at once, from prediction files.")


def register(app: typer.Typer) -> None:
    """Adds the group."""
    app.add_typer(report_app, name="report")


@report_app.callback()
def _group() -> None:
    """Write reports on several systems at once, from prediction files."""


@report_app.command("paper", help=PAPER_HELP)
def paper(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST", help="TOML files, one for each data set.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="The folder for paper.html and paper.md.")
    ],
    seed: Seed = 0,
    resamples: Resamples = 2000,
) -> None:
    """Measures the systems of the manifests and writes the pages."""
    from medner.evaluation.measures.significance import Resampling
    from medner.evaluation.paper.markdown import paper_markdown
    from medner.evaluation.paper.page import paper_page
    from medner.evaluation.paper.report import paper_report

    if output.exists() and not output.is_dir():
        raise UserError(f"{output}: is a file; -o names the folder for paper.html and paper.md")
    report = paper_report(manifests, Resampling(seed=seed, resamples=resamples), logged_options())
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExternalError(f"{output}: cannot be made: {error.strerror}") from error
    write(output / "paper.html", paper_page(report))
    write(output / "paper.md", paper_markdown(report))
    _tell(report)


def _tell(report: PaperReport) -> None:
    for section in report.sections:
        measured = sum(bool(grid.rows) for grid in section.grids)
        typer.echo(
            f"{section.title}: {f'on {measured} of {len(report.systems)} data sets' if measured else 'not measured'}"
        )
    for remark in report.remarks:
        typer.echo(f"medner: {remark}", err=True)
