"""Options that several commands have: what is annotated, by which configuration, and what is kept of it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from medner.core.choices import TracePolicy
from medner.service.cli.bounds import MOST, not_empty, server_urls


class EndChoice(StrEnum):
    """What the end of an entity counts, as the option says it."""

    INCLUSIVE = "inclusive"
    EXCLUSIVE = "exclusive"


class DtypeChoice(StrEnum):
    """The number formats, as options say them."""

    AUTO = "auto"
    INT8 = "int8"
    BF16 = "bf16"
    F16 = "f16"
    F32 = "f32"


_INPUTS = "Files, folders (with their subfolders), or - for standard input."

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help=_INPUTS)]
InputsIfAny = Annotated[list[str] | None, typer.Argument(metavar="[INPUT]...", help=_INPUTS)]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="The inputs' format: cmeee, ccks, jsonl, text, bio, brat, label-studio, doccano, json, cmeee-v1, ccks2017 "
        "or ccks2018; by default detected from name and content, and printed.",
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
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        callback=not_empty,
        help="A choice of the taggers that ship: default (several, and a judge), fast (one of them).",
    ),
]
Dtype = Annotated[
    DtypeChoice | None,
    typer.Option("--dtype", help="Number format of models in this process; auto is the fastest here (medner doctor)."),
]
Taggers = Annotated[
    str | None,
    typer.Option(
        "--taggers",
        metavar="LIST",
        help="Taggers of the configuration by name, adapter folders (./x), STRATEGY:STYLE (html:full), also @BASE for "
        "another base model, or plugin:NAME.",
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
        help="off, a shipped filter's name, a filter's folder (./x), llm-causal, span (the span taggers' own "
        "probabilities); add :THRESHOLD to change the threshold.",
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
    TracePolicy,
    typer.Option("--trace", help="Which sentences to trace (medner traces): those with conflicts, all, none."),
]

#: The options of a command that become its ReadOptions, by that record's fields.
READ_OPTIONS: dict[str, tuple[Any, Any]] = {
    "encoding": (
        Annotated[
            str | None,
            typer.Option(
                "--encoding",
                metavar="NAME",
                callback=not_empty,
                help="The files' encoding: gb18030, utf-16, big5 ...; else UTF-8.",
            ),
        ],
        None,
    ),
    "join_lines": (
        Annotated[
            bool,
            typer.Option(
                "--join-lines",
                help="Lines were cut at a fixed width: a term across a single line break is one entity.",
            ),
        ],
        False,
    ),
    "text_key": (
        Annotated[
            str | None,
            typer.Option(
                "--text-key", metavar="KEY", callback=not_empty, help="The key of JSON records with the text."
            ),
        ],
        None,
    ),
    "id_key": (
        Annotated[
            str | None,
            typer.Option("--id-key", metavar="KEY", callback=not_empty, help="The key of JSON records with the id."),
        ],
        None,
    ),
    "end": (
        Annotated[
            EndChoice | None,
            typer.Option("--end", help="Whether an entity's end is its last character or the one after it."),
        ],
        None,
    ),
    "annotator": (
        Annotated[
            str | None,
            typer.Option(
                "--annotator",
                metavar="NAME",
                callback=not_empty,
                help="Read this person's annotations, if there are several people's.",
            ),
        ],
        None,
    ),
}
