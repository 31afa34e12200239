"""Plain aligned columns that are right with Chinese characters, which take two places in a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def width(text: str) -> int:
    """How many places the text takes in a terminal: wide characters two, combining marks none."""
    return sum(_width(character) for character in text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Aligned lines, the first ``left`` columns to the left, the others to the right; without trailing spaces."""
    lines = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(width(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            _pad(cell, wanted, at < left) for at, (cell, wanted) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in lines
    )


def printable(text: str) -> str:
    """The text on one line: line ends and other control characters become their visible pictures (␊, ␛)."""
    return "".join(_picture(character) for character in text)


def _picture(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    # Format characters (Cf) can turn the direction of a whole line around; separators (Zl, Zp) break it.
    return "�" if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs") else character


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _pad(cell: str, wanted: int, to_the_left: bool) -> str:
    space = " " * (wanted - width(cell))
    return cell + space if to_the_left else space + cell
