"""How a sentence and its candidates travel in one request: their lengths, then the sentence, then the candidates.

A server's model sees nothing but numbers of tokens, so the lengths are written as tokens too, two a length. The
sentence's tokens see one another, both ways where the filter does; each candidate's see the sentence and what stands
before them in the candidate, and nothing of the other candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: Small enough to be a token of every vocabulary.
_BASE = 256
#: A longer request is cut into several, unless a single candidate makes it longer.
MOST_TOKENS = 2_048


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each part of a request's tokens begins and ends: the sentence, then the candidates."""

    parts: tuple[tuple[int, int], ...]

    @property
    def lasts(self) -> list[int]:
        """The place of each candidate's last token."""
        return [end - 1 for _, end in self.parts[1:]]


def written(sentence: Sequence[int], candidates: Sequence[Sequence[int]]) -> list[int]:
    """A request's tokens. ValueError for a part without tokens, or for more than can be written."""
    parts = [sentence, *candidates]
    lengths = [len(parts), *map(len, parts)]
    if min(lengths) < 1 or max(lengths) >= _BASE**2:
        raise ValueError("a request has a sentence and candidates, each of some tokens")
    head = [digit for length in lengths for digit in divmod(length, _BASE)]
    return [*head, *(token for part in parts for token in part)]


def read(tokens: Sequence[int]) -> Layout | None:
    """The layout of a request's tokens; None where they are none (servers try models with tokens of their own)."""
    lengths: list[int] = []
    count = _length(tokens, 0)
    if count is None or count < 1:
        return None
    for number in range(count):
        length = _length(tokens, number + 1)
        if length is None or length < 1:
            return None
        lengths.append(length)
    at, parts = 2 * (count + 1), []
    for length in lengths:
        parts.append((at, at + length))
        at += length
    return Layout(tuple(parts)) if at == len(tokens) else None


def _length(tokens: Sequence[int], number: int) -> int | None:
    digits = tokens[2 * number : 2 * number + 2]
    if len(digits) < 2 or not all(0 <= digit < _BASE for digit in digits):
        return None
    return digits[0] * _BASE + digits[1]


def requests(sentence: Sequence[int], candidates: Sequence[Sequence[int]]) -> Iterator[Sequence[Sequence[int]]]:
    """The candidates in groups that fit a request each, in their order."""
    group: list[Sequence[int]] = []
    size = before = len(sentence) + 4
    for candidate in candidates:
        if group and size + len(candidate) + 2 > MOST_TOKENS:
            yield group
            group, size = [], before
        group.append(candidate)
        size += len(candidate) + 2
    if group:
        yield group
