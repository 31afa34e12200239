"""Options that several commands have: what is annotated, by which configuration, and what is kept of it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from medner.service.cli.bounds import MOST, not_empty, server_urls


class TraceChoice(StrEnum):
    """The tracing policies, as options say them."""

    ALL = "all"
    CONFLICTS = "conflicts"
    NONE = "none"


_INPUTS = "Files, folders (with their subfolders), or - for standard input."

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help=_INPUTS)]
InputsIfAny = Annotated[list[str] | None, typer.Argument(metavar="[INPUT]...", help=_INPUTS)]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="The inputs' format: cmeee, ccks, jsonl, text, bio, brat, label-studio or doccano; without it, it is "
        "found from name and content.",
    ),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out inputs and records that cannot be read, and list them.")
]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, max=MOST, help="Take only the first N documents.")
]
MaxChars = Annotated[
    int | None,
    typer.Option("--max-chars", metavar="N", min=8, max=8_192, help="Cut sentences longer than this (default 256)."),
]

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration in TOML; options given here override it."),
]
Labels = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="NAME|FILE",
        callback=not_empty,
        help="Label set: cmeee-v2 (default), ccks2019, or a .toml file.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME|FOLDER", callback=not_empty, help="Base model (medner models list)."),
]
Taggers = Annotated[
    str | None,
    typer.Option(
        "--taggers",
        metavar="LIST",
        help="Taggers of the configuration by name, adapter folders (./x), or STRATEGY:STYLE (html:full).",
    ),
]
Judge = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="JUDGE",
        help="hard-vote, filter-score[:LEAST], best-tagger[:NAME], select, rewrite, select:PROVIDER:MODEL, "
        "trained:FOLDER; @, @VERSION or @NAME for one of medner judges.",
    ),
]
Filter = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="FILTER",
        help="off, a shipped filter's name, a filter's folder (./x), llm-causal, span (what the span taggers think of "
        "each candidate); :THRESHOLD may follow.",
    ),
]
Exemplars = Annotated[
    Path | None,
    typer.Option("--exemplars", metavar="FOLDER", help="The judge's exemplars (medner exemplars build)."),
]
Servers = Annotated[
    list[str] | None,
    typer.Option(
        "--server",
        metavar="URL",
        callback=server_urls,
        help="Run the models on vLLM servers (medner serve-models); repeatable.",
    ),
]
Trace = Annotated[
    TraceChoice,
    typer.Option("--trace", help="Which sentences leave a trace (medner traces): those with conflicts, all, none."),
]
