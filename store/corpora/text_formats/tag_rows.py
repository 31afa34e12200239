"""Rows of a token and its tag, as BIO and CoNLL files have them: their columns, and what the whole file is like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from medner.core.characters import is_blank

DOCSTART = "-DOCSTART-"
_SPACES = re.compile(r" +")
_PREFIXED = re.compile(r"([BIMELSUW])[-_](.+)", re.DOTALL)
_SUFFIXED = re.compile(r"(.+)[-_]([BIMELSUW])", re.DOTALL)
#: So many rows say whether a file without a telling name is a file of tags.
_ENOUGH_ROWS = 2


class TagPosition(Enum):
    """What a tag says of its token: where in an entity it is, or that it is in none."""

    OUTSIDE = "O"
    FIRST = "B"
    INSIDE = "IM"
    LAST = "EL"
    SINGLE = "SUW"


_MARKS = {letter: mark for mark in TagPosition for letter in mark.value}


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag understood; ``label`` is empty outside of entities."""

    mark: TagPosition
    label: str = ""


@dataclass(frozen=True, slots=True)
class TagRow:
    """A line in columns: the token first, the tag last."""

    columns: tuple[str, ...]
    by_tab: bool

    @property
    def token(self) -> str:
        """The token; where its column is empty, a space that an editor took away."""
        return self.columns[0] or " "

    @property
    def tag(self) -> str:
        """The tag as it is in the file."""
        return self.columns[-1]


def tag_of(text: str) -> Tag | None:
    """The tag, in any of the schemes (BIO, IOB1, BIOES, BMES, BMEWO, BILUO) and spellings (B-x, B_x, x-B)."""
    if text == "O":
        return Tag(TagPosition.OUTSIDE)
    if match := _PREFIXED.fullmatch(text):
        return Tag(_MARKS[match[1]], match[2])
    if match := _SUFFIXED.fullmatch(text):
        return Tag(_MARKS[match[2]], match[1])
    return None


def row_of(line: str) -> TagRow | None:
    """The columns of a line, separated by tabs, or else by spaces; None for a line of one column."""
    line = line.rstrip()
    if "\t" in line:
        columns = line.split("\t")
        if len(columns) > 2 and not any(columns[:-1]):
            return TagRow(("\t" * (len(columns) - 2), columns[-1].strip()), by_tab=True)
        # A space before the tag's tab is a token, one behind it is not.
        return TagRow((columns[0], *(column.strip() for column in columns[1:])), by_tab=True)
    if line.startswith(" "):
        return TagRow((" ", *_SPACES.split(line.strip(" "))), by_tab=False) if line.strip() else None
    columns = _SPACES.split(line)
    return TagRow(tuple(columns), by_tab=False) if len(columns) > 1 else None


def is_docstart(line: str) -> bool:
    """Whether a line is CoNLL's mark of a document's beginning."""
    return line.split(maxsplit=1)[:1] == [DOCSTART]


def is_comment(line: str, row: TagRow | None) -> bool:
    """Whether a line is a comment (``# id 1``), not a token # with its tag."""
    return line.startswith("# ") and (row is None or tag_of(row.tag) is None)


@dataclass(frozen=True, slots=True)
class TagScheme:
    """What all rows of a file have in common.

    ``columns`` is the usual number of columns of rows parted by spaces. ``closes``: entities end in a tag of their own
    (E or L), so one without it is broken off. ``iob1``: entities begin with I, and with B only behind another of their
    type. ``counted``: the first column counts the tokens. ``segmented``: each token ends in its place in a word (中0).
    """

    columns: int = 2
    closes: bool = False
    iob1: bool = False
    counted: bool = False
    segmented: bool = False


def tag_scheme_of(lines: Iterable[str]) -> TagScheme:
    """The scheme of a file; lines that cannot be understood have no say."""
    widths: Counter[int] = Counter()
    marks: Counter[TagPosition] = Counter()
    tokens = running = segmented = starts = real_firsts = loose = 0
    last = Tag(TagPosition.OUTSIDE)
    place = 0
    for line in lines:
        row = None if is_blank(line) else row_of(line)
        tag = None if row is None else tag_of(row.tag)
        if row is None or tag is None or is_docstart(line):
            last, place = Tag(TagPosition.OUTSIDE), 0
            continue
        place += 1
        tokens += 1
        if not row.by_tab:
            widths[len(row.columns)] += 1
        running += len(row.columns) > 2 and row.token == str(place)
        segmented += len(row.token) == 2 and row.token[1] in "0123456789"
        starts += row.token[1:] == "0"
        marks[tag.mark] += 1
        follows = last.label == tag.label
        real_firsts += tag.mark is TagPosition.FIRST and not follows
        loose += tag.mark is TagPosition.INSIDE and not follows
        last = tag
    closes = marks[TagPosition.LAST] > 0
    return TagScheme(
        columns=widths.most_common(1)[0][0] if widths else 2,
        closes=closes,
        iob1=not closes and not marks[TagPosition.SINGLE] and loose > 0 and not real_firsts,
        counted=tokens >= _ENOUGH_ROWS and running == tokens,
        segmented=tokens >= _ENOUGH_ROWS and segmented == tokens and starts > 0,
    )


def look_tagged(lines: Iterable[str]) -> bool:
    """Whether these lines of a file without a telling name are tokens with their tags, and no note.

    Nearly all rows must have a tag. Tokens are single characters, or a tab is between them and the tags, of which one
    is an entity's: a note's line may end in a blood group O or in vitamin B-12.
    """
    rows = tagged = single = by_tab = entities = 0
    for line in lines:
        if is_blank(line) or is_docstart(line) or line.startswith("# "):
            continue
        rows += 1
        row = row_of(line)
        tag = None if row is None else tag_of(row.tag)
        if row is None or tag is None or not _is_token(row.token):
            continue
        tagged += 1
        single += len(row.token) == 1 or (len(row.token) == 2 and row.token[1] in "0123456789")
        by_tab += row.by_tab
        entities += any(char.isalpha() for char in tag.label)
    if not tagged or tagged * 10 < rows * 9:
        return False
    if by_tab == tagged:
        return entities > 0 or (single == tagged and rows >= _ENOUGH_ROWS)
    return single * 10 >= tagged * 9 and rows >= _ENOUGH_ROWS


def _is_token(token: str) -> bool:
    """Whether this may be a token, not a sentence or a list of them."""
    return len(token) <= 2 or (
        len(token) <= 40 and not any(mark in token.rstrip("。！？；，") for mark in "。！？；，")
    )
