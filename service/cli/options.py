"""Options that several commands have: what is annotated, by which configuration, and what is kept of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from medner.store.corpora.format import ReadOptions

_Result = TypeVar("_Result")


class EndChoice(StrEnum):
    """What the end of an entity counts, as the option says it."""

    INCLUSIVE = "inclusive"
    EXCLUSIVE = "exclusive"


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
        help="The inputs' format: cmeee, ccks, jsonl, text, bio, brat, label-studio, doccano, cmeee-v1, ccks2017 or "
        "ccks2018; without it, it is found from name and content, and said.",
    ),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out inputs and records that cannot be read, and list them.")
]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Take only the first N documents.")]
MaxChars = Annotated[
    int | None, typer.Option("--max-chars", metavar="N", help="Cut sentences longer than this (default 256).")
]

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration in TOML; options given here override it."),
]
Labels = Annotated[
    str | None,
    typer.Option("--labels", metavar="NAME|FILE", help="Label set: cmeee-v2 (default), ccks2019, or a .toml file."),
]
Model = Annotated[str | None, typer.Option("--model", metavar="NAME|FOLDER", help="Base model (medner models list).")]
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
    typer.Option("--server", metavar="URL", help="Run the models on vLLM servers (medner serve-models); repeatable."),
]
Trace = Annotated[
    TraceChoice,
    typer.Option("--trace", help="Which sentences leave a trace (medner traces): those with conflicts, all, none."),
]

#: The options of a command that become its :class:`ReadOptions`, by that record's fields.
_READ_OPTIONS: dict[str, tuple[Any, Any]] = {
    "encoding": (
        Annotated[
            str | None,
            typer.Option(
                "--encoding", metavar="NAME", help="The files' encoding: gb18030, utf-16, big5 ...; else UTF-8."
            ),
        ],
        None,
    ),
    "join_lines": (
        Annotated[
            bool,
            typer.Option(
                "--join-lines",
                help="Lines are cut at a fixed width: a term over a single line break is one entity.",
            ),
        ],
        False,
    ),
    "text_key": (
        Annotated[str | None, typer.Option("--text-key", metavar="KEY", help="The key of JSON records with the text.")],
        None,
    ),
    "id_key": (
        Annotated[str | None, typer.Option("--id-key", metavar="KEY", help="The key of JSON records with the id.")],
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
                "--annotator", metavar="NAME", help="Read this person's annotations, where there are several."
            ),
        ],
        None,
    ),
}


def with_read_options(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """The command with the options about reading files, which it gets as its keyword ``options`` (ReadOptions)."""
    own = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        if parameter.name != "options":
            parameters.append(parameter)
            continue
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in _READ_OPTIONS.items()
        ]

    @wraps(command)
    def run(*arguments: Any, **values: Any) -> _Result:
        given = {name: values.pop(name) for name in _READ_OPTIONS}
        end = given.pop("end")
        return command(*arguments, **values, options=ReadOptions(**given, end=None if end is None else end.value))

    # typer reads both: the signature for the parameters, the annotations for their types.
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
