"""The escapes of WebAnno TSV: one way for the text of sentences, another for the values of features."""

from __future__ import annotations

import re
from collections.abc import Iterator

_NAMED = {"\t": "t", "\n": "n", "\f": "f", "\r": "r", "\b": "b", "\\": "\\"}
_BY_NAME = {name: char for char, name in _NAMED.items()}
_TEXT = re.compile(r"[\x00-\x08\t\n\f\r\x0e-\x1f\\]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
#: Versions up to 3.1 wrote texts as Java does.
_JAVA = re.compile(r"\\(?:u+([0-9a-fA-F]{4})|(.))", re.DOTALL)
_VALUE = re.compile(r"->|[\\\[\]|_;\t\n\r*]")
_ESCAPED_VALUE = re.compile(r"\\(->|.)", re.DOTALL)
_STACKED = re.compile(r"(?:[^|\\]|\\.|\\$)+", re.DOTALL)
_MARKED = re.compile(r"((?:[^\\\[]|\\.)*)\[(\d+)\]", re.DOTALL)


def escape_text(line: str) -> str:
    """A line of a sentence's text as a file has it behind ``#Text=``."""
    return _TEXT.sub(lambda match: "\\" + _NAMED.get(match[0], match[0]), line)


def unescape_text(line: str, version: tuple[int, int]) -> str:
    """The line of text that a file of this version has behind ``#Text=``."""
    if version < (3, 2):
        units = _JAVA.sub(lambda match: chr(int(match[1], 16)) if match[1] else _of(match[2]), line)
        # Java escapes a rare character as its two surrogates.
        return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _ESCAPED.sub(lambda match: _of(match[1]), line)


def _of(name: str) -> str:
    return _BY_NAME.get(name, name)


def escape_value(value: str) -> str:
    """The value of a feature as it is in a cell."""
    return _VALUE.sub(lambda match: "\\" + {"\t": "t", "\n": "n", "\r": "r"}.get(match[0], match[0]), value)


def values_in(cell: str) -> Iterator[tuple[str | None, int | None]]:
    """The values of the annotations stacked in a cell, each with its disambiguation id, where it has one.

    None for an annotation whose feature has no value; nothing where no annotation is.
    """
    for stacked in _STACKED.findall("" if cell == "_" else cell):
        marked = _MARKED.fullmatch(stacked)
        value = marked[1] if marked else stacked
        number = int(marked[2]) if marked else None
        yield None if value in ("*", "") else _unescaped(value), number


def _unescaped(value: str) -> str:
    return _ESCAPED_VALUE.sub(lambda match: {"t": "\t", "n": "\n", "r": "\r"}.get(match[1], match[1]), value)
