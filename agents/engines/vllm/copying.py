"""What an answer that copies its sentence will most likely say next, in tokens.

The symbol strategy's answer is the sentence again, a line a type: ``疾病：...[原发性溃疡]...``. Where the answer
stands in the sentence is read off the answer itself, so nothing is kept about a request from one call to the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

COLON = "："
#: Roles that chat templates write in front of the last message and of the answer.
_ROLES = ("user", "assistant", "model", "human")
#: An entity seldom goes on over one of these; where a bracket closes is guessed with them.
_BOUNDARIES = frozenset("，。、；：？！（）()和与及或等可时为是者以而也如由并伴的 ")
_ESCAPES = {"[": "\\[", "]": "\\]", "\\": "\\\\", "\n": "\\n", "\r": "\\r"}
#: Headers kept, and the longest there may be: a header is a type's name.
_MOST_HEADERS, _LONGEST_HEADER = 256, 24
#: Other strategies are followed by their last characters: at least so many, at most so many.
_FEWEST_ALIKE, _MOST_ALIKE = 2, 12


class Tokenizer(Protocol):
    """What is needed of a Hugging Face tokenizer."""

    def encode(self, text: str, *, add_special_tokens: bool = ...) -> list[int]:
        """The tokens of a text."""
        ...

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = ...) -> str:
        """The text of tokens."""
        ...


@dataclass(slots=True)
class Copying:
    """Guesses for any number of requests; ``special`` are the ids of control tokens.

    The headers of lines (``疾病：``) are learnt from the answers seen.
    """

    tokenizer: Tokenizer
    special: frozenset[int]
    _headers: Counter[str] = field(default_factory=Counter)

    def next_tokens(self, context: Sequence[int], most: int) -> list[int]:
        """At most ``most`` likely next tokens after a prompt and the answer so far; none where there is no guess."""
        parts = self._parts(context)
        if len(parts) < 2 or most < 1:
            return []
        source = self._said(parts[:-1])
        written = parts[-1]
        line = self._last_line(written)
        guess = self._guess(self._text(line).removeprefix("\ufffd"), source, first=len(line) == len(written))
        if guess is None:
            return []
        known, rest = guess
        whole = self._encode(known + rest)
        if whole[: len(line)] == list(line):
            return whole[len(line) : len(line) + most]
        # The line is not tokenised as a tokenizer would: brackets and forced tokens split words.
        return [] if self._text(line).endswith("\ufffd") else self._encode(rest)[:most]

    def _guess(self, line: str, source: str, *, first: bool) -> tuple[str, str] | None:
        """The line as far as it is whole characters, and what may follow; ``first``: a role may stand before it."""
        line = _without_role(line) if first else line
        line = line.removesuffix("\ufffd")
        if (len(line) - len(line.rstrip("\\"))) % 2:
            line = line[:-1]  # half of an escape
        header, colon, copied = line.partition(COLON)
        if colon and len(header) <= _LONGEST_HEADER and (place := _copied_up_to(copied, source)) is not None:
            self._learn(header)
            at, inside = place
            return line, _closing(source, at, copied) if inside else _escaped(source[at:]) + "\n"
        if not colon and (whole := self._header(line)) is not None:
            return line, whole[len(line) :] + COLON + _escaped(source) + "\n"
        return _alike(line, source)

    def _learn(self, header: str) -> None:
        if header in self._headers or len(self._headers) < _MOST_HEADERS:
            self._headers[header] += 1

    def _header(self, begun: str) -> str | None:
        """The one known header that begins so, or the commonest."""
        able = [header for header in self._headers if header.startswith(begun)] if begun else []
        return max(able, key=lambda header: self._headers[header], default=None)

    def _parts(self, context: Sequence[int]) -> list[Sequence[int]]:
        """The stretches between control tokens; the last is the answer, perhaps behind its role's name."""
        parts, begin = [], 0
        for at, token in enumerate(context):
            if token in self.special:
                if at > begin:
                    parts.append(context[begin:at])
                begin = at + 1
        # An answer of no token yet is a part too, behind a template that ends with a control token.
        return [*parts, context[begin:]]

    def _said(self, parts: Sequence[Sequence[int]]) -> str:
        """The last message before the answer: templates set role names and line ends between."""
        for part in reversed(parts):
            text = _without_role(self._text(part)).strip("\n")
            if text and text not in _ROLES:
                return text
        return ""

    def _last_line(self, written: Sequence[int]) -> Sequence[int]:
        """The tokens after the last line end; before the first line end of an answer that is its role's."""
        for at in range(len(written) - 1, -1, -1):
            if self._text(written[at : at + 1]).endswith("\n"):
                before = self._text(written[: at + 1]).strip("\n")
                return written if before in _ROLES and at + 1 == len(written) else written[at + 1 :]
        return written

    def _text(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=False)

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False)


def _without_role(text: str) -> str:
    for role in _ROLES:
        if text.startswith(role + "\n"):
            return text[len(role) + 1 :].lstrip("\n")
    return text.lstrip("\n")


def _copied_up_to(copied: str, source: str) -> tuple[int, bool] | None:
    """How far a line's copy has come in the source, and whether a bracket is open; None when it is no copy."""
    at, inside, position = 0, False, 0
    while position < len(copied):
        char = copied[position]
        if char == "\\" and position + 1 < len(copied):
            position += 1
            char = {"n": "\n", "r": "\r"}.get(copied[position], copied[position])
        elif char in "[]":
            inside = char == "["
            position += 1
            continue
        if at >= len(source) or source[at] != char:
            return None
        at, position = at + 1, position + 1
    return at, inside


def _closing(source: str, at: int, copied: str) -> str:
    """The rest of an open entity as far as it likely goes, its bracket, and the rest of the sentence."""
    end = at + (copied.endswith("["))
    while end < len(source) and source[end] not in _BOUNDARIES:
        end += 1
    return _escaped(source[at:end]) + "]" + _escaped(source[end:]) + "\n"


def _escaped(text: str) -> str:
    """A source text as the symbol strategy writes it (agents/strategies/escaping; a server need not have that)."""
    return "".join(_ESCAPES.get(char, char) for char in text)


def _alike(line: str, source: str) -> tuple[str, str] | None:
    """The rest of the source behind the last characters of the line, the longest that stand in it once."""
    for count in range(min(_MOST_ALIKE, len(line)), _FEWEST_ALIKE - 1, -1):
        tail = line[-count:]
        if source.count(tail) == 1:
            rest = source[source.index(tail) + count :]
            return (line, rest) if rest else None
    return None
