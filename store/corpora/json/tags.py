"""Tags of tokens (BIO, BIOES, BMES, BILOU) in JSON records as mentions of the text that the tokens make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from medner.store.corpora.reading.format import Mention, Reading

_TAG = re.compile(r"(?:[OoＯ]|[BIMESLUW][-_]\S+)$")
_FIRST, _LAST = "BSUW", "ELSUW"


def is_tag_list(value: object) -> bool:
    """Whether the value is a list of tags, or a string of them with spaces between."""
    tags = value.split() if isinstance(value, str) else value
    return (
        isinstance(tags, list)
        and bool(tags)
        and all(isinstance(tag, str) and _TAG.match(tag) for tag in tags)
        and (isinstance(value, list) or len(tags) > 1)
    )


def joined(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The text of the tokens and the place of each.

    A space goes between two words of Latin letters or digits; tokens of one character each are characters.
    """
    text = last = ""
    bounds = []
    for token in tokens:
        if text and token and len(token) + len(last) > 2 and _is_latin(text[-1]) and _is_latin(token[0]):
            text += " "
        bounds.append((len(text), len(text) + len(token)))
        text, last = text + token, token
    return text, bounds


def tagged_mentions(
    reading: Reading, place: int, tags: Sequence[str], bounds: Sequence[tuple[int, int]], key: str
) -> list[Mention]:
    """The mentions that the tags make, in characters; BadInputError for a tag that continues nothing of its label."""
    return list(_mentions(reading, place, tags, bounds, key))


def _mentions(
    reading: Reading, place: int, tags: Sequence[str], bounds: Sequence[tuple[int, int]], key: str
) -> Iterator[Mention]:
    start: int | None = None
    label = ""
    for number, tag in enumerate((*tags, "O")):
        part, name = tag[0].upper(), tag[2:]
        if start is not None and (part in "OＯ" or part in _FIRST):
            yield Mention(start, bounds[number - 1][1], label, None, f"{key}.{number - 1}")
            start = None
        if part in "OＯ":
            continue
        if part in _FIRST:
            start, label = bounds[number][0], name
        elif start is None or name != label:
            raise reading.error(f"the tag {tag!r} does not continue an entity of its label", place, f"{key}.{number}")
        if part in _LAST and start is not None:
            yield Mention(start, bounds[number][1], label, None, f"{key}.{number}")
            start = None


def _is_latin(char: str) -> bool:
    return char.isascii() and char.isalnum()
