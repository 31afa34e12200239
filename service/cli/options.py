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


_INPUTS = "Files, folders (with their subfolders), - for standard input, or the address of a database (--query)."

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help=_INPUTS)]
InputsIfAny = Annotated[list[str] | None, typer.Argument(metavar="[INPUT]...", help=_INPUTS)]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="The inputs' format: cmeee, ccks, jsonl, text, bio, brat, label-studio, doccano, webanno-tsv, cas-json, "
        "cas-xmi, json, cmeee-v1, ccks2017, ccks2018, csv (TSV too), excel, parquet or sql; by default detected from "
        "name and content, and printed.",
    ),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Skip inputs and records that cannot be read, and list them.")
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
    typer.Option(
        "--model",
        metavar="NAME|FOLDER",
        callback=not_empty,
        help="Base model: a name of medner models list, or a folder.",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        callback=not_empty,
        help="A named choice of what ships: default (several taggers and a judge), fast (one tagger) ...",
    ),
]
Dtype = Annotated[
    DtypeChoice | None,
    typer.Option(
        "--dtype", help="Number format of models in this process. Default: auto, the fastest on this machine."
    ),
]
Taggers = Annotated[
    str | None,
    typer.Option(
        "--taggers",
        metavar="LIST",
        help="Comma list: names of the configuration or of taggers that ship, adapter folders (./x), untuned taggers "
        "STRATEGY:STYLE (html:full; html:full@BASE on another base model), plugin:NAME.",
    ),
]
Judge = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="JUDGE",
        help="hard-vote, filter-score[:LEAST], best-tagger[:NAME], select, rewrite, select@BASE (another base model), "
        "select:PROVIDER:MODEL, trained:FOLDER, plugin:NAME; of medner judges: @ (the judge in place), @VERSION or "
        "@NAME.",
    ),
]
Filter = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="FILTER",
        help="off, the name of a filter that ships, a filter's folder (./x), llm-causal (the untuned base model), span "
        "(the span taggers' own probabilities), plugin:NAME; add :THRESHOLD to change the threshold.",
    ),
]
Exemplars = Annotated[
    Path | None,
    typer.Option(
        "--exemplars", metavar="FOLDER", help="Exemplars for the judge's prompt (made by medner exemplars build)."
    ),
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

#: The option ``--answers`` under the name that it had in version 0.1.0.
OldAnswers = Annotated[list[Path] | None, typer.Option("--said", hidden=True)]

#: The options of a command that become its ReadOptions, by that record's fields.
READ_OPTIONS: dict[str, tuple[Any, Any]] = {
    "encoding": (
        Annotated[
            str | None,
            typer.Option(
                "--encoding",
                metavar="NAME",
                callback=not_empty,
                help="Encoding of the files: gb18030, utf-16-le, big5 ...; without it UTF-8, or GB18030 if that fits.",
            ),
        ],
        None,
    ),
    "join_lines": (
        Annotated[
            bool,
            typer.Option(
                "--join-lines",
                help="The files have lines of a fixed width: a single line break does not end a sentence.",
            ),
        ],
        False,
    ),
    "text_key": (
        Annotated[
            str | None,
            typer.Option(
                "--text-key",
                "--text-column",
                metavar="NAME",
                callback=not_empty,
                help="The key of JSON records, or the column of a table, that holds the text.",
            ),
        ],
        None,
    ),
    "id_key": (
        Annotated[
            str | None,
            typer.Option(
                "--id-key",
                "--id-column",
                metavar="NAME",
                callback=not_empty,
                help="The key of JSON records, or the column of a table, that holds the id.",
            ),
        ],
        None,
    ),
    "end": (
        Annotated[
            EndChoice | None,
            typer.Option(
                "--end", help="inclusive: an entity's end is its last character; exclusive: the one after it."
            ),
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
                help="Whose annotations to read (number, mail address or name), if there are several people's; '*' for "
                "all of Label Studio's, each as a document ID@ANNOTATOR.",
            ),
        ],
        None,
    ),
}
