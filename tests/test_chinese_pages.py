"""A page and its Chinese version show the same commands, tables and numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SUFFIX = ".zh-CN.md"
CHINESE = sorted([*ROOT.glob(f"*{SUFFIX}"), *ROOT.glob(f"docs/*{SUFFIX}"), *ROOT.glob(f"examples/**/*{SUFFIX}")])

BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^(#+) ", re.MULTILINE)
#: Links to pages of the project, but for those that offer the English version.
LINK = re.compile(r"(?<!\[English)\]\(([^)\s#:]+)(?:#[^)\s]*)?\)")
CODE = re.compile(r"`([^`\n]+)`")
NUMBER = re.compile(r"(?<![\w.])\d*\.\d+(?![\w.]*\.\d)")
HAN = re.compile(r"[\u4e00-\u9fff]")

#: The part of a line that is in the reader's language, by the block's language. `#:` begins an instruction.
WORDS: Mapping[str, str] = {
    **dict.fromkeys(("", "sh", "python", "toml", "yaml"), r"(?:^|\s+)#(?!:).*$"),
    "mermaid": r"(?<=: ).*$",
}
#: Blocks that show output. Their lines may be translated.
OUTPUT = ("text",)


def english_of(chinese: Path) -> Path:
    """The English version of a page."""
    return chinese.with_name(chinese.name.removesuffix(SUFFIX) + ".md")


def chinese_of(english: Path) -> Path:
    """Where the Chinese version of a page is, if there is one."""
    return english.with_name(english.name.removesuffix(".md") + SUFFIX)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, and its lines without the words that each version may have."""

    language: str
    lines: tuple[str, ...]


def _blocks(text: str) -> list[Block]:
    blocks = []
    for language, body in BLOCK.findall(text):
        lines = (re.sub(WORDS[language], "", line) if language in WORDS else line for line in body.splitlines())
        blocks.append(Block(language, tuple(line.rstrip() for line in lines if line.strip())))
    return blocks


def _differing_lines(english: Block, chinese: Block) -> list[tuple[str, str]]:
    pairs = list(zip(english.lines, chinese.lines, strict=False))
    if english.language in OUTPUT:
        pairs = [(one, other) for one, other in pairs if not HAN.search(other)]
    return [(one, other) for one, other in pairs if one != other]


def _tables(text: str) -> list[list[list[str]]]:
    """The tables outside blocks: rows of cells."""
    tables: list[list[list[str]]] = []
    before = ""
    for line in BLOCK.sub("", text).splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                tables.append([])
            tables[-1].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        before = line
    return tables


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


pages = pytest.mark.parametrize("chinese", CHINESE, ids=lambda page: str(page.relative_to(ROOT)))


@pages
def test_both_versions_link_to_each_other(chinese: Path) -> None:
    """In the first lines, so that a reader who came to the wrong one sees the other."""
    english = english_of(chinese)
    assert english.is_file()
    assert f"[中文]({chinese.name})" in "".join(_text(english).splitlines()[:5])
    assert f"[English]({english.name})" in "".join(_text(chinese).splitlines()[:5])


@pages
def test_both_versions_have_the_same_headings(chinese: Path) -> None:
    """As many, at the same levels, in the same order."""
    english, translated = (HEADING.findall(BLOCK.sub("", _text(page))) for page in (english_of(chinese), chinese))
    assert english == translated


@pages
def test_both_versions_show_the_same_code(chinese: Path) -> None:
    """Block by block and line by line; comments, labels of diagrams and Chinese output may differ."""
    english, translated = _blocks(_text(english_of(chinese))), _blocks(_text(chinese))
    assert [block.language for block in english] == [block.language for block in translated]
    for one, other in zip(english, translated, strict=True):
        assert _differing_lines(one, other) == []
        assert len(one.lines) == len(other.lines)


@pages
def test_both_versions_have_the_same_tables(chinese: Path) -> None:
    """The same rows and columns; a row names the same things in its first cell and has the same decimal numbers."""
    english, translated = _tables(_text(english_of(chinese))), _tables(_text(chinese))
    assert [len(table) for table in english] == [len(table) for table in translated]
    for one, other in zip(english, translated, strict=True):
        for row, translated_row in zip(one, other, strict=True):
            assert len(row) == len(translated_row), translated_row
            assert CODE.findall(row[0]) == CODE.findall(translated_row[0])
            numbers, translated_numbers = (Counter(NUMBER.findall(" ".join(cells))) for cells in (row, translated_row))
            assert numbers == translated_numbers, translated_row


@pages
def test_both_versions_name_the_same_options(chinese: Path) -> None:
    """Every option of a command in one version's sentences is in the other's."""
    english, translated = (
        {option for code in CODE.findall(BLOCK.sub("", _text(page))) for option in re.findall(r"--[a-z][a-z-]*", code)}
        for page in (english_of(chinese), chinese)
    )
    assert english == translated


@pages
def test_chinese_pages_link_to_chinese_pages(chinese: Path) -> None:
    """A link leads to the English version only where there is no Chinese one, or where its text is "English"."""
    targets = {(chinese.parent / name).resolve() for name in LINK.findall(_text(chinese))}
    assert sorted(page.name for page in targets if chinese_of(page).is_file()) == []
