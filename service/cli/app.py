"""The command's frame: subcommands, errors in one line, exit codes.

Exit codes: 0 done, 1 done with failures (said on stderr), 2 the user can fix it, 3 something outside failed,
4 a defect of medner, 130 interrupted, 141 the reader of a pipe has gone (``| head``).
"""

from __future__ import annotations

import importlib
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import Annotated, Any

import typer

from medner.core.errors import MednerError
from medner.core.files.paths import printable
from medner.service.cli.exit_codes import ReportedExit
from medner.service.cli.standard_streams import READER_GONE, drop_output, flush_output, is_reader_gone

SUBCOMMANDS = (
    "annotate",
    "submit",
    "jobs",
    "worker",
    "serve",
    "evaluate",
    "compare",
    "compare-annotators",
    "report",
    "convert",
    "models",
    "labels",
    "config",
    "train",
    "exemplars",
    "export",
    "judges",
    "traces",
    "serve-models",
    "doctor",
)
#: Subcommands with a folder of their own, one module a subcommand of theirs.
GROUPS = ("judges", "traces", "train")

# typer carries a copy of click in newer releases and uses the real one in older ones; its own names reach either.
_CommandLineError: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

_INTERRUPTED = 130


def new_app() -> typer.Typer:
    """The root command without its subcommands."""
    app = typer.Typer(
        name="medner",
        help="Medical named entities in Chinese clinical text, found by several LLMs that check one another.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    return app


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"medner {version('medner')}")
        raise typer.Exit


def _root(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error. May come anywhere on the line.")
    ] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """The root of all subcommands."""


def build(command: str | None = None) -> typer.Typer:
    """The command tree: all of it, or the one subcommand that is asked for, without the imports of the others.

    Modules are light: torch and transformers are imported when a command runs.
    """
    app = new_app()
    for name in (command,) if command in SUBCOMMANDS else SUBCOMMANDS:
        module = f"{name}.group" if name in GROUPS else f"commands.{name.replace('-', '_')}"
        importlib.import_module(f"medner.service.cli.{module}").register(app)
    return app


def main(arguments: list[str] | None = None, *, tree: Callable[[], typer.Typer] | None = None) -> int:
    """Runs the command line and returns the exit code; errors are one line on stderr unless ``--debug``.

    ``tree`` makes another command tree than medner's own.
    """
    debug, rest = _without_debug(sys.argv[1:] if arguments is None else arguments)
    try:
        app = tree() if tree else build(next(iter(rest), None))
        code = app(args=rest, prog_name="medner", standalone_mode=False)
        flush_output()
    except BaseException as error:
        with _ignoring_interrupts():
            told = _tell(error, rest)
            if told is None:
                raise
            if debug and not isinstance(error, (typer.Exit, typer.Abort)):
                traceback.print_exc()
            return told
    if code == _INTERRUPTED and not isinstance(code, ReportedExit):
        # Some releases of typer turn Ctrl-C into this code without a word.
        return _say("interrupted", _INTERRUPTED)
    return code if isinstance(code, int) else 0


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Ctrl-C within the block does nothing: a second one must not fall into the words about the first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _without_debug(arguments: list[str]) -> tuple[bool, list[str]]:
    """Whether ``--debug`` stands among the options, and the line without it; behind ``--`` it is an argument."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != "--debug"]
    return len(options) < end, [*options, *arguments[end:]]


def _tell(error: BaseException, arguments: list[str]) -> int | None:
    """The exit code for an error, after saying what it is in one line; None when it is not ours to handle."""
    if isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError):
        # The framework's own answer to a pipe without a reader.
        drop_output()
        return READER_GONE
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return _say("interrupted", _INTERRUPTED)
    if isinstance(error, MednerError):
        return _say(str(error), error.exit_code)
    if isinstance(error, _CommandLineError):
        return _tell_command_line(error, arguments)
    if is_reader_gone(error):
        drop_output()
        return READER_GONE
    if isinstance(error, UnicodeEncodeError) and not _is_text(error.object):
        return _say(f"{error.object!a} is not UTF-8; set the terminal to UTF-8", 2)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return _say(f"{place}{error.strerror or error}", 3)
    if isinstance(error, Exception):
        return _say(f"a defect of medner: {type(error).__name__}: {error} (--debug shows where)", 4)
    return None


def _tell_command_line(error: Any, arguments: list[str]) -> int:
    """A wrong option or argument in one line; a command group that stands alone gives its help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
    else:
        # An error of the parser itself, such as an option without its value, does not know its command.
        called = " ".join(("medner", *(name for name in arguments[:1] if name in SUBCOMMANDS)))
        command = getattr(getattr(error, "ctx", None), "command_path", None) or called
        _say(f"{error.format_message()} (see {command} --help)", 0)
    return int(error.exit_code)


def _is_text(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _say(message: str, code: int) -> int:
    with suppress(OSError):  # nobody may be listening
        typer.echo("medner: " + " ".join(line.strip() for line in printable(message).splitlines()), err=True)
    return code
