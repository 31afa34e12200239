"""Backslash escapes, for source text inside an answer that has markup of its own."""

from __future__ import annotations

_NAMED = {"\n": "\\n", "\r": "\\r"}
_PLAIN = {"n": "\n", "r": "\r"}


def escape_char(char: str, special: str) -> str:
    """One source character as it stands in an answer; characters of ``special`` and the backslash get a backslash."""
    if char in _NAMED:
        return _NAMED[char]
    return "\\" + char if char in special or char == "\\" else char


def escape(text: str, special: str) -> str:
    """A source text as it stands in an answer."""
    return "".join(escape_char(char, special) for char in text)


def read_char(answer: str, position: int) -> tuple[str, int, bool]:
    """The source character at ``position`` of an answer, the position after it, and whether it was escaped.

    A lone backslash at the end stands for itself.
    """
    char = answer[position]
    if char != "\\" or position + 1 == len(answer):
        return char, position + 1, False
    following = answer[position + 1]
    return _PLAIN.get(following, following), position + 2, True


def utf8(text: str) -> bytes:
    """The text as bytes; lone surrogates, which broken files do hold, survive."""
    return text.encode("utf-8", "surrogatepass")
