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
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("examples/**/*.md"),
        *ROOT.glob("models/**/*.md"),
    ]
)
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
    """docs/README.md links every page of docs/; a Chinese version is linked from its page (test_chinese_pages.py)."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in ROOT.glob("docs/*.md") if not page.name.endswith(".zh-CN.md")}
    assert not [name for name in pages - {"README.md"} if f"]({name})" not in index]


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


# Commands of others that pages name inside a line, with options of theirs.
FOREIGN = re.compile(r"^(?:redis-server|python -m vllm|docker compose|pip3? )")
# Options of vLLM's server and of `langgraph dev` that pages name by themselves.
FOREIGN_OPTIONS = {"--enforce-eager", "--max-loras", "--speculative-config", "--allow-blocking", "--tunnel"}
# Old names that are still read, which pages may tell of.
RENAMED = {"--said"}
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
SCRIPT = re.compile(r"\b((?:benchmarks|scripts)/\w+\.py)\b((?:[^\n`|;&]|\\\n)*)")


def _options_of_scripts(path: Path) -> set[str]:
    """The options that a script, or a module beside it, declares."""
    return {"--help"} | set(re.findall(r"[\"'](--[a-z][a-z0-9-]*)[\"']", path.read_text(encoding="utf-8")))


@cache
def _all_options() -> set[str]:
    """Every option of the command line and of the project's scripts."""
    scripts = [*ROOT.glob("benchmarks/**/*.py"), *ROOT.glob("scripts/*.py")]
    of_commands = {name for command in _reference().commands() for each in command.parameters for name in each.names}
    return {"--help"}.union(of_commands, *(_options_of_scripts(path) for path in scripts))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_options_in_pages_exist(page: Path) -> None:
    """An option in backquotes, without its command, is an option of some command or script."""
    unknown = []
    for code in SPAN.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if not FOREIGN.match(code):
            unknown += [name for name in OPTION.findall(code) if name not in _all_options() | FOREIGN_OPTIONS | RENAMED]
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_scripts_and_targets_in_pages_exist(page: Path) -> None:
    """A script that a page calls is there and has the options, and `make NAME` is a target.

    docs/log.md and CHANGELOG.md tell of what was.
    """
    if page.name in ("log.md", "CHANGELOG.md"):
        return
    text = page.read_text(encoding="utf-8")
    wrong = []
    for name, options in SCRIPT.findall(text):
        declared = _all_options() if (ROOT / name).exists() else set()
        wrong += [f"{name} {option}" for option in OPTION.findall(options) if option not in declared]
        if not (ROOT / name).exists():
            wrong.append(name)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    called = [code for code in (*CODE.findall(text), *SPAN.findall(text)) if "make " in code]
    named = re.findall(r"^make ([a-z][a-z-]*)", "\n".join(called), re.MULTILINE)
    wrong += [f"make {name}" for name in named if name not in targets]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_variables_in_pages_exist(page: Path) -> None:
    """Every `MEDNER_...` that a page names is read somewhere."""
    places = [
        *ROOT.glob("core/*.py"),
        *ROOT.glob("tests/*.py"),
        *ROOT.glob("tests/*/*.py"),
        ROOT / "docker-compose.yml",
    ]
    read = set(re.findall(r"\bMEDNER_[A-Z_]+\b", "\n".join(path.read_text(encoding="utf-8") for path in places)))
    assert set(re.findall(r"\bMEDNER_[A-Z_]+\b", page.read_text(encoding="utf-8"))) <= read


def test_the_three_numbers_are_the_same_everywhere() -> None:
    """The numbers in bold of README.md are those of README.zh-CN.md, and docs/results.md has them."""
    english, chinese = (
        re.findall(r"\*\*(\.?\d[\d.]*(?: ms)?)\*\*", (ROOT / name).read_text(encoding="utf-8"))
        for name in ("README.md", "README.zh-CN.md")
    )
    assert len(english) == 3
    assert english == chinese
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert [number for number in english if number not in results] == []


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
