"""What the documents say of the project is true of it."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob("models/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```[a-z]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(?<!`)`(medner [^`\n]+)`(?!`)")


@cache
def _reference() -> ModuleType:
    path = ROOT / "scripts" / "cli_reference.py"
    spec = importlib.util.spec_from_file_location("cli_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_command_reference_is_up_to_date() -> None:
    """docs/cli.md is what `make docs` would write now."""
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == _reference().reference(), "say `make docs`"


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file of the project, and every anchor a heading in it."""
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page if not name else (page.parent / name).resolve()
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert not broken


def test_every_page_is_in_the_index() -> None:
    """docs/README.md links every page of docs/."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert not [page.name for page in ROOT.glob("docs/*.md") if page.name != "README.md" and page.name not in index]


def _lines(page: Path) -> Iterator[str]:
    """The `medner` commands a page shows, continued lines joined."""
    text = page.read_text(encoding="utf-8")
    for block in CODE.findall(text):
        for line in block.replace("\\\n", " ").split("\n"):
            found = re.search(r"(?:^|[|;&]\s*|\$\s)(medner .*)", line)
            if found:
                yield found[1]
    yield from INLINE.findall(text)


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return line.split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_pages_exist(page: Path) -> None:
    """Every `medner` command a page shows exists, and so does every option it is given there."""
    known = {command.words: command for command in _reference().commands()}
    spellings = {
        words: {name for parameter in command.parameters for name in parameter.names} | {"--help", "-h"}
        for words, command in known.items()
    }
    wrong = []
    for line in _lines(page):
        words = _words(re.split(r" [|>;] | && ", line)[0])
        plain = tuple(word for word in words if not word.startswith("-"))
        command = max((each for each in known if plain[: len(each)] == each), key=len, default=None)
        options = {word.partition("=")[0].strip("[]") for word in words if re.match(r"\[?--?[a-z]", word)}
        allowed = spellings[("medner",)] | spellings.get(command or (), set())
        if plain[1:2] == ("COMMAND",):
            continue  # stands for all of them
        if command is None or (command == ("medner",) and plain[1:]) or not options <= allowed:
            wrong.append(line)
    assert not wrong


PACKAGES = (
    "agents",
    "benchmarks",
    "core",
    "evaluation",
    "graph",
    "models",
    "scripts",
    "service",
    "store",
    "tests",
    "training",
)
PATH = re.compile(rf"`((?:{'|'.join(PACKAGES)})/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_folder_that_a_page_names_is_there(page: Path) -> None:
    """Paths of the project in backquotes; docs/log.md tells of what was, the changes of what is no more."""
    if page.name in ("log.md", "CHANGELOG.md"):
        return
    named = PATH.findall(page.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []
