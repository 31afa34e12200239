"""`medner config`: a configuration file checked, and the schema that editors complete and check files with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from medner.service.cli.reporting import print_json

config_app = typer.Typer(
    no_args_is_help=True,
    help="Check configuration files, and print their schema for editors.\n\n"
    "    medner config schema > medner.schema.json\n\n"
    "    medner config check medner.toml\n\n"
    "Editors with taplo use the schema if the file's first line is #:schema ./medner.schema.json",
)


def register(app: typer.Typer) -> None:
    """Adds `medner config`."""
    app.add_typer(config_app, name="config")


@config_app.command()
def schema() -> None:
    """Print the JSON schema of configuration files.

    Example: medner config schema > medner.schema.json

    Exit code: 0 done.
    """
    from medner.service.config.schema import configuration_schema

    print_json(configuration_schema())


@config_app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A configuration in TOML.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole configuration as JSON.")] = False,
) -> None:
    """Read a configuration file as annotate does, and print the taggers, filter and judge that it gives.

    Keys, label set, adapters' cards and installed plugins are checked; no model is loaded.

    Example: medner config check medner.toml

    Exit code: 0 it can be used; 2 the file has a mistake, or an adapter is missing.
    """
    from medner.service.build.pipeline import check_adapters
    from medner.service.config.files import load_configuration
    from medner.service.config.fingerprint import plugins_of

    configuration = load_configuration(file)
    check_adapters(configuration)
    dict(plugins_of(configuration))
    if as_json:
        typer.echo(json.dumps(configuration.model_dump(mode="json"), ensure_ascii=False))
        return
    for part, words in configuration.described().items():
        typer.echo(f"{part}: {words}")
