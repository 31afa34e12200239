"""Commands that read files: their options about that, and what the readings leave out, on stderr."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import typer

from medner.core.renamed import renamed_note
from medner.service.cli.exit_codes import ReportedExit
from medner.service.cli.options import READ_OPTIONS, SkipBad
from medner.service.cli.table_options import JOB_TABLE_OPTIONS, TABLE_OPTIONS
from medner.store.corpora.reading.bad_records import BadRecord, BadRecords
from medner.store.corpora.reading.read_log import ReadLog
from medner.store.corpora.reading.read_options import ReadOptions, TableOptions

_Result = TypeVar("_Result")
#: So many bad records are shown, and the number of all.
_MOST_BAD = 10


def with_table_options(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """As :func:`with_read_options`, with the options about tables too, for a command whose inputs may be such.

    Where the command has a ``keep`` of its own, the columns are kept by --keep-columns alone.
    """
    has_keep = "keep" in inspect.signature(command).parameters
    return _with_options(command, JOB_TABLE_OPTIONS if has_keep else TABLE_OPTIONS)


def with_read_options(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """The command with the options about reading files, which it gets as its keyword ``options`` (ReadOptions).

    What the readings leave out is said on stderr. A command without ``skip_bad`` of its own gets the option as well:
    what is skipped is listed, and the exit code is 1.
    """
    return _with_options(command, {})


def _with_options(command: Callable[..., _Result], tables: Mapping[str, tuple[Any, Any]]) -> Callable[..., _Result]:
    own = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        if parameter.name != "options":
            parameters.append(parameter)
            continue
        added = {**READ_OPTIONS, **tables}
        if "skip_bad" not in own.parameters:
            added["skip_bad"] = (SkipBad, False)
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in added.items()
        ]

    @wraps(command)
    def run(*arguments: Any, **values: Any) -> _Result:
        given = {name: values.pop(name) for name in READ_OPTIONS}
        end = given.pop("end")
        about = {name: values.pop(name) for name in tables}
        if tables:
            kept = about.pop("keep_columns" if "keep_columns" in about else "keep")
            given["table"] = TableOptions(keep=tuple(kept or ()), **about)
        skips = "skip_bad" not in own.parameters and values.pop("skip_bad", False)
        log = ReadLog(_print_note, BadRecords() if skips else None)
        options = ReadOptions(**given, end=None if end is None else end.value, log=log)
        return ending_with_bad(lambda: command(*arguments, **values, options=options), log)

    # typer reads both: the signature for the parameters, the annotations for their types.
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def with_old_answers(answers: list[Path] | None, old: list[Path] | None) -> list[Path] | None:
    """The files of ``--answers``, with those that were given under its old name, and then a note."""
    if not old:
        return answers
    _print_note(renamed_note("--said", "--answers"))
    return [*(answers or []), *old]


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
