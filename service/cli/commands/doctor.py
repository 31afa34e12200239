"""`medner doctor`: everything a user can get wrong, looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medner.service.cli.reporting import print_json

HELP = """Check an installation and a configuration, and say how to fix each problem.

It checks Python and packages, the processor, disk space, the base model and its hashes, the adapters' cards and \
files, the vLLM servers (do they answer, serve the models, constrain answers by a grammar), and Redis if \
MEDNER_REDIS_URL is set. It changes nothing and sends no text out; servers get one made-up sentence.

\b
Examples:
  medner doctor
  medner doctor --config hospital.toml --json
  medner doctor --taggers symbol --server http://127.0.0.1:8101

Exit code: 0 no problem (perhaps warnings); 1 a problem; 2 wrong option.
"""


def register(app: typer.Typer) -> None:
    """Adds the subcommand."""
    app.command("doctor", help=HELP)(doctor)


def doctor(  # noqa: PLR0913  the options of a command are its parameters
    *,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Configuration in TOML.")] = None,
    labels: Annotated[str | None, typer.Option("--labels", metavar="NAME|FILE", help="Label set.")] = None,
    taggers: Annotated[
        str | None, typer.Option("--taggers", metavar="LIST", help="The taggers to check, as for medner annotate.")
    ] = None,
    preset: Annotated[str | None, typer.Option("--preset", metavar="NAME", help="The preset to check.")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME|FOLDER", help="Base model.")] = None,
    server: Annotated[
        list[str] | None, typer.Option("--server", metavar="URL", help="A vLLM server to check; repeatable.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Skip the check of the model's hashes, which reads all of it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    from dataclasses import asdict

    from rich.table import Table

    from medner.core.findings import errors_among
    from medner.service.annotate.progress import results_console
    from medner.service.config.options import Overrides, configured
    from medner.service.doctor.checks import examine

    overrides = Overrides(config, labels, model, taggers, servers=tuple(server or ()), preset=preset)
    findings = examine(configured(overrides), hashes=not quick)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        table = Table(show_header=False, box=None, pad_edge=False)
        for finding in findings:
            remedy = f"\n-> {finding.remedy}" if finding.remedy else ""
            table.add_row(finding.level.value, finding.subject, finding.what + remedy)
        results_console().print(table)
    if errors_among(findings):
        raise typer.Exit(1)
