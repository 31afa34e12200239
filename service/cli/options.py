"""Options that several commands have: what is annotated, by which configuration, and what is kept of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from medner.core.choices import TracePolicy
from medner.core.renamed import renamed_note
from medner.service.cli.bounds import MOST, not_empty, server_urls
from medner.service.cli.exit_codes import ReportedExit
from medner.store.corpora.reading.bad_records import BadRecord, BadRecords
from medner.store.corpora.reading.read_log import ReadLog
from medner.store.corpora.reading.read_options import ReadOptions

_Result = TypeVar("_Result")
#: How many bad records are shown; the number of all is said.
_MOST_BAD = 10


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
        help="hard-vote, filter-score[:LEAST], best-tagger[:NAME], select, rewrite, select@BASE (another base model), "
        "select:PROVIDER:MODEL, trained:FOLDER; @, @VERSION or @NAME for one of medner judges.",
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

#: The option ``--answers`` under the name that it had in version 0.1.0.
OldAnswers = Annotated[list[Path] | None, typer.Option("--said", hidden=True)]

#: The options of a command that become its :class:`ReadOptions`, by that record's fields.
_READ_OPTIONS: dict[str, tuple[Any, Any]] = {
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


def with_old_answers(answers: list[Path] | None, old: list[Path] | None) -> list[Path] | None:
    """The files of ``--answers``, with those that were given under its old name, and then a note."""
    if not old:
        return answers
    _print_note(renamed_note("--said", "--answers"))
    return [*(answers or []), *old]


def with_read_options(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """The command with the options about reading files, which it gets as its keyword ``options`` (ReadOptions).

    What the readings leave out is said on stderr. A command without ``skip_bad`` of its own gets the option as well:
    what is skipped is listed, and the exit code is 1.
    """
    own = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        if parameter.name != "options":
            parameters.append(parameter)
            continue
        added = _READ_OPTIONS if "skip_bad" in own.parameters else {**_READ_OPTIONS, "skip_bad": (SkipBad, False)}
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in added.items()
        ]

    @wraps(command)
    def run(*arguments: Any, **values: Any) -> _Result:
        given = {name: values.pop(name) for name in _READ_OPTIONS}
        end = given.pop("end")
        skips = "skip_bad" not in own.parameters and values.pop("skip_bad", False)
        log = ReadLog(_print_note, BadRecords() if skips else None)
        options = ReadOptions(**given, end=None if end is None else end.value, log=log)
        return ending_with_bad(lambda: command(*arguments, **values, options=options), log)

    # typer reads both: the signature for the parameters, the annotations for their types.
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def logged_options() -> ReadOptions:
    """No options, for a command that has none: what its readings leave out is said on stderr all the same."""
    return ReadOptions(log=ReadLog(_print_note))


def ending_with_bad(command: Callable[[], _Result], log: ReadLog) -> _Result:
    """What the command gives; with bad records skipped they are listed, and a command that was done ends with 1."""
    try:
        result = command()
    except typer.Exit as ended:
        if ended.exit_code == 0 and log.bad:
            raise typer.Exit(ReportedExit(1)) from ended
        raise
    finally:
        _list_bad(log.bad or ())
    if log.bad:
        raise typer.Exit(ReportedExit(1))
    return result


def _list_bad(bad: Collection[BadRecord]) -> None:
    for record in list(bad)[:_MOST_BAD]:
        typer.echo(f"bad: {record}", err=True)
    if bad:
        more = f" ({len(bad) - _MOST_BAD:,} more are not shown)" if len(bad) > _MOST_BAD else ""
        typer.echo(f"bad records skipped: {len(bad):,}{more}", err=True)


def _print_note(line: str) -> None:
    typer.echo(f"note: {line}", err=True)
