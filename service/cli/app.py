"""The command's frame: subcommands, errors in one line, exit codes.

Exit codes: 0 done, 1 done with failures (said on stderr), 2 the user can fix it, 3 something outside failed,
130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from importlib.metadata import version
from typing import Annotated

import click
import typer

from medner.store.errors import MednerError

SUBCOMMANDS = ("annotate", "evaluate", "compare", "convert", "models", "labels")

app = typer.Typer(
    name="medner",
    help="Medical named entities in Chinese clinical text, found by several LLMs that check one another.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"medner {version('medner')}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """The root of all subcommands; `--debug` is read in :func:`main`, before anything can fail."""


def build() -> typer.Typer:
    """The whole command tree. Modules are light: torch and transformers are imported when a command runs."""
    if not app.registered_commands and not app.registered_groups:
        for name in SUBCOMMANDS:
            importlib.import_module(f"medner.service.cli.{name}").register(app)
    return app


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line and returns the exit code; errors are one line on stderr unless ``--debug``."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    try:
        code = build()(args=arguments, prog_name="medner", standalone_mode=False)
    except MednerError as error:
        if debug:
            traceback.print_exc()
        typer.echo(f"medner: {error}", err=True)
        return error.exit_code
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        typer.echo("medner: interrupted", err=True)
        return 130
    except OSError as error:
        if debug:
            traceback.print_exc()
        place = f"{error.filename}: " if error.filename else ""
        typer.echo(f"medner: {place}{error.strerror or error}", err=True)
        return 3
    return code if isinstance(code, int) else 0
