"""The command's frame: every way a command can end gives one line and its exit code."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from medner.core.errors import ExternalError, UserError
from medner.service import cli
from medner.service.cli.app import main, new_app
from medner.service.cli.exit_codes import ReportedExit

ENDS: dict[str, tuple[BaseException, int, str]] = {
    "user": (UserError("no label set 'x'\nuse another"), 2, "medner: no label set 'x' use another"),
    "external": (ExternalError("the server is gone"), 3, "medner: the server is gone"),
    "full": (OSError(errno.ENOSPC, "No space left on device", "out.jsonl"), 3, "out.jsonl: No space left on device"),
    "denied": (PermissionError(errno.EACCES, "Permission denied", "私密"), 3, "medner: 私密: Permission denied"),
    "stopped": (KeyboardInterrupt(), 130, "medner: interrupted"),
    "aborted": (typer.Abort(), 130, "medner: interrupted"),
    "defect": (ZeroDivisionError("division by zero"), 4, "a defect of medner: ZeroDivisionError"),
    "done": (typer.Exit(1), 1, ""),
    "stopped, and said so": (typer.Exit(ReportedExit(130)), 130, ""),
}


def _tree() -> typer.Typer:
    app = new_app()

    @app.command()
    def fail(how: str, text: str = "") -> None:
        raise ENDS[how][0]

    group = typer.Typer(no_args_is_help=True)

    @group.command()
    def inner() -> None:
        """Does nothing."""

    app.add_typer(group, name="group")
    return app


@pytest.mark.parametrize("how", ENDS)
def test_an_error_is_one_line_and_its_exit_code(how: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a command raises ends in at most one line on stderr, never in a traceback."""
    _, code, said = ENDS[how]
    assert main(["fail", how], tree=_tree) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert len(captured.err.strip().splitlines()) == (1 if said else 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fail", "user", "--wrong"], "--wrong"),
        (["fail"], "Missing argument 'how'"),
        (["nothing"], "No such command 'nothing'"),
        (["--wrong"], "--wrong"),
        (["fail", "user", "--text"], "--text"),
    ],
)
def test_a_wrong_command_line_is_one_line_that_names_the_help(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong options, missing arguments and unknown commands end with code 2."""
    assert main(arguments, tree=_tree) == 2
    error = capsys.readouterr().err
    assert error.startswith("medner: ")
    assert said in error
    assert "--help" in error
    assert error.count("\n") == 1


def test_an_option_without_its_value_names_the_help_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The line leads to the help where the option is explained."""
    assert main(["annotate", "--text"]) == 2
    assert "see medner annotate --help" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["group"]])
def test_a_bare_group_shows_its_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A group without a command prints what it holds."""
    assert main(arguments, tree=_tree) in (0, 2)
    captured = capsys.readouterr()
    assert "Usage: medner" in captured.out + captured.err
    assert "Traceback" not in captured.err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` says name and number and ends well."""
    assert main(["--version"], tree=_tree) == 0
    assert capsys.readouterr().out.startswith("medner 0.")


@pytest.mark.parametrize(
    "arguments", [["--debug", "fail", "user"], ["fail", "--debug", "user"], ["fail", "user", "--debug"]]
)
def test_debug_shows_the_traceback_from_any_place(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`--debug` works before and behind the subcommand."""
    assert main(arguments, tree=_tree) == 2
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert "medner: no label set" in error


def test_debug_behind_two_dashes_is_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    """What stands behind `--` is never taken for an option."""
    assert main(["fail", "--", "--debug"], tree=_tree) == 4
    assert "Traceback" not in capsys.readouterr().err


def test_the_real_tree_has_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    """The shipped command can be built and lists its subcommands."""
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("annotate", "evaluate", "compare", "convert", "models", "labels"))


def test_a_command_that_ends_with_130_has_said_why() -> None:
    """A bare code would be called an interruption; a command that stopped on purpose says so itself."""
    folder = Path(cli.__file__).parent
    bare = [path.name for path in sorted(folder.glob("*.py")) if "Exit(130)" in path.read_text(encoding="utf-8")]
    assert not bare


def test_help_imports_nothing_heavy() -> None:
    """All subcommands are there without the libraries that only their work needs; one alone leaves out the others."""
    program = (
        "import sys; from medner.service.cli.app import build; build({command!r}); "
        "heavy = {{'torch', 'transformers', 'langgraph', 'langsmith', 'httpx', 'redis', 'numpy', 'pandas'}}; "
        "print(sorted(heavy & {{*sys.modules}}), 'medner.service.cli.commands.doctor' in sys.modules)"
    )
    for command, others in ((None, True), ("annotate", False)):
        line = [sys.executable, "-c", program.format(command=command)]
        done = subprocess.run(line, capture_output=True, text=True, check=True)  # noqa: S603
        assert done.stdout.split() == ["[]", str(others)]
