"""What values options take: numbers that are numbers, names that can be shown, within bounds."""

from __future__ import annotations

import csv
import math
import re

import typer

from medner.core.characters import is_blank

#: So many documents, sentences or lines no run has.
MOST = 1_000_000_000
#: What numpy and PyTorch take as a seed.
MOST_SEED = 4_294_967_295
MOST_DAYS = 36_500
DAY_S = 86_400
YEAR_HOURS = 8_760
_LONGEST_NAME = 100
_LONGEST_KEY = 200
_JUDGE_NAME = re.compile(r"[\w.-]{1,80}")
_URL = re.compile(r"https?://[^/\s]+(/v1)?/?")


def finite(value: float | None) -> float | None:
    """The number; BadParameter for one that is none, or has no end."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number that can be counted to")
    return value


def job_name(value: str) -> str:
    """A name for people: a line of at most 100 characters; empty is none."""
    return _line(value, _LONGEST_NAME)


def submit_key(value: str | None) -> str | None:
    """A key that is not empty: a line of at most 200 characters."""
    if value is not None and is_blank(value):
        raise typer.BadParameter("is empty; give it a word, or leave it out")
    return None if value is None else _line(value, _LONGEST_KEY)


def not_empty(value: str | None) -> str | None:
    """The text; BadParameter for an empty one, which would mean something else than was meant."""
    if value is not None and is_blank(value):
        raise typer.BadParameter("is empty; give it a value, or leave it out")
    return value


def judge_name(value: str | None) -> str | None:
    """The name of a judge in the registry."""
    if value is not None and not _JUDGE_NAME.fullmatch(value):
        raise typer.BadParameter(f"{value!r} is no name: letters, digits, '.', '_' and '-', at most 80 of them")
    return value


def server_urls(value: list[str] | None) -> list[str] | None:
    """Addresses of model servers."""
    for url in value or ():
        if not _URL.fullmatch(url):
            raise typer.BadParameter(f"{url!r} is no server's address; write http://127.0.0.1:8101")
    return value


def column_names(value: list[str] | None) -> list[str] | None:
    """Names with commas between them; one that holds a comma stands in double quotation marks."""
    names = [name.strip() for each in value or () for name in next(csv.reader([each], skipinitialspace=True), [])]
    if any(map(is_blank, names)):
        raise typer.BadParameter("names no column; write names with commas between them: --keep 科室,性别")
    return names or None


def delimiter(value: str | None) -> str | None:
    """One character; ``tab`` is one too."""
    value = "\t" if value in ("tab", "\\t") else value
    if value is not None and (len(value) != 1 or value in '"\r\n'):
        raise typer.BadParameter(f"{value!r} is no delimiter: a character such as ; or |, or the word tab")
    return value


def _line(value: str, longest: int) -> str:
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise typer.BadParameter("is not UTF-8; set the terminal to UTF-8")
    if len(value) > longest or (value and not value.isprintable()):
        raise typer.BadParameter(f"a line of at most {longest} characters is expected, without control characters")
    return value
