"""Writes the command-line reference from the commands themselves: python scripts/cli_reference.py docs/cli.md

Reads the functions' own signatures, not what a version of typer makes of them, so that any version in the allowed
range gives the same page.
"""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import typer
from typer.models import ArgumentInfo, OptionInfo

from medner.service.cli.app import build

HEAD = """# Command line

Written by `make docs` from the commands themselves; `medner COMMAND --help` shows the same.

After this page you know every command and option. An error is one line that ends with the way out; `--debug` shows the
traceback. Results go to stdout, progress and remarks to stderr.

Exit codes: 0 done, 1 done with failures (listed on stderr), 2 an error that you can fix, 3 something outside medner
failed (disk, network, Redis, a model), 4 a defect of medner, 130 interrupted, 141 the reader of a pipe closed it.
`medner jobs watch` also has 5 (the job was cancelled), `medner worker` 70 (its process was stuck)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument or option. ``names`` are its spellings; an argument has one, in capitals."""

    names: tuple[str, ...]
    value: str
    help: str
    required: bool
    is_argument: bool

    @property
    def shown(self) -> str:
        """All spellings with the value's name."""
        return " ".join(filter(None, (", ".join(self.names), "" if self.is_argument else self.value)))


@dataclass(frozen=True, slots=True)
class Command:
    """A command or a group of them (then without parameters), by the words that call it."""

    words: tuple[str, ...]
    help: str
    parameters: tuple[Parameter, ...]
    is_group: bool

    @property
    def usage(self) -> str:
        """The line that calls it."""
        options = ["[OPTIONS]"] if any(not parameter.is_argument for parameter in self.parameters) else []
        arguments = [p for p in self.parameters if p.is_argument]
        places = [p.value if p.required else f"[{p.value}]" for p in arguments]
        return " ".join((*self.words, *options, *places))


def commands() -> tuple[Command, ...]:
    """Every command, groups before what they hold, in the order of `medner --help`."""
    return tuple(_commands(("medner",), typer.main.get_command(build())))


def _commands(words: tuple[str, ...], node: Any) -> Iterator[Command]:
    inner = getattr(node, "commands", None)
    # A command whose options come from a decorator states them as its signature.
    function = inspect.unwrap(node.callback, stop=lambda one: hasattr(one, "__signature__")) if node.callback else None
    parameters = tuple(_parameters(function)) if function else ()
    yield Command(words, inspect.cleandoc(node.help or ""), parameters, inner is not None)
    for name, child in (inner or {}).items():
        yield from _commands((*words, name), child)


def _parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    hints = typing.get_type_hints(function, include_extras=True)
    for name, declared in inspect.signature(function).parameters.items():
        kind, *notes = typing.get_args(hints[name]) or (None,)
        info = next((note for note in notes if isinstance(note, (ArgumentInfo, OptionInfo))), None)
        if info is None or info.hidden:
            continue  # the context, say
        required = declared.default is inspect.Parameter.empty
        text = [" ".join((info.help or "").split())]
        plain = isinstance(declared.default, (str, int, float)) and not isinstance(declared.default, bool)
        if plain and declared.default != "":
            text.append(f"Default: {declared.default}.")
        if info.envvar:
            text.append(f"Environment: {info.envvar}.")
        is_argument = isinstance(info, ArgumentInfo)
        value = info.metavar or _value(kind, name)
        if is_argument:
            # A metavar such as [INPUT]... says that it may be left out and repeated; RUN[/SENTENCE] is one value.
            value = re.sub(r"^\[(.*)\]$", r"\1", value.removesuffix("...")) + ("..." if _is_list(kind) else "")
            names: tuple[str, ...] = (value,)
        else:
            # Inside Annotated, the first spelling stands where the default would.
            declarations = (*([info.default] if isinstance(info.default, str) else []), *(info.param_decls or ()))
            spelt = [part.strip() for each in declarations for part in each.split("/")]
            names = tuple(part for part in spelt if part.startswith("-")) or (f"--{name.replace('_', '-')}",)
        yield Parameter(names, value, " ".join(filter(None, text)), required, is_argument)


def _is_list(kind: Any) -> bool:
    return any(typing.get_origin(each) in (list, tuple) for each in (kind, *typing.get_args(kind)))


def _value(kind: Any, name: str) -> str:
    """What stands for an option's value where the option does not say; nothing for a switch."""
    kinds = [each for each in (typing.get_args(kind) or (kind,)) if each is not type(None)]
    if typing.get_origin(kind) is Literal:
        return "|".join(str(each) for each in kinds)
    if kinds == [bool]:
        return ""
    if isinstance(kinds[0], type) and issubclass(kinds[0], Enum):
        return "|".join(str(member.value) for member in kinds[0])
    return {int: "INTEGER", float: "NUMBER", Path: "PATH"}.get(kinds[0], name.strip("_").upper())


def reference() -> str:
    """The whole page."""
    return "\n\n".join([HEAD, *(part for command in commands() for part in _section(command))]) + "\n"


def _section(command: Command) -> Iterator[str]:
    if len(command.words) > 1:
        yield "#" * len(command.words) + " " + " ".join(command.words)
        if not command.is_group:
            yield _block(command.usage)
        yield _prose(command.help)
    if command.parameters:
        rows = [f"| {_cell(f'`{each.shown}`')} | {_cell(each.help)} |" for each in command.parameters]
        yield "\n".join(["| argument or option | meaning |", "|---|---|", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _prose(text: str) -> str:
    """A help text as Markdown: an example becomes a block of code."""
    blocks: list[str] = []
    for paragraph in re.split(r"\n\n|(?=\bExamples?:\s)", text.replace("\b", "")):
        plain = paragraph.strip()
        code = re.sub(r"^Examples?:\s+", "", plain)
        if not plain:
            continue
        if code == plain and not re.match(r"(?:\S+ \S+ \| )?medner ", plain):
            blocks.append(plain)
            continue
        if blocks and blocks[-1].startswith("```"):
            blocks[-1] = _block(blocks[-1].strip("`\n") + "\n" + code)
        else:
            blocks.append(_block(code))
    return "\n\n".join(blocks)


def _block(code: str) -> str:
    return f"```\n{inspect.cleandoc(code)}\n```"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
