"""Which token holds a character: taggers and embedders work on characters, models on tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

#: Offsets in a token are told apart up to this many characters from its beginning and its end.
REACH = 4
#: How many kinds of place in a token there are.
PLACES = REACH * REACH


@dataclass(frozen=True, slots=True)
class Aligned:
    """A text as tokens.

    ``token_of[c]`` is the token that holds the end of character ``c``; ``place_of[c]`` tells where in that token the
    character stands (0 to ``PLACES - 1``): a token of two characters gives both the same hidden state.
    """

    tokens: tuple[int, ...]
    token_of: tuple[int, ...]
    place_of: tuple[int, ...]


def align(
    text: str,
    encode: Callable[[str], Sequence[int]],
    token_bytes: Callable[[int], bytes],
    *,
    split: AbstractSet[str] = frozenset(),
) -> Aligned:
    """The text's tokens and where its characters are in them.

    A token whose characters are one of ``split`` is replaced by a token for each character: entities of the training
    data begin or end inside it, and one hidden state cannot hold both sides of such an edge.
    Where the tokenizer writes the text in another form (some compose characters, some have tokens for whole tags such
    as ``<tool_call>``), every character is encoded by itself, so that each still has its place.
    """
    tokens = list(encode(text))
    try:
        if split:
            tokens = list(_apart(tokens, encode, token_bytes, split))
        data = [token_bytes(token) for token in tokens]
    except KeyError:  # a token that a tokenizer was given beside its vocabulary has no bytes
        data = []
    if b"".join(data) != text.encode("utf-8", "surrogatepass"):
        tokens, token_of = _one_by_one(text, encode)
    else:
        token_of = char_tokens(text, data)
    return Aligned(tuple(tokens), tuple(token_of), tuple(_places(token_of)))


def _apart(
    tokens: Sequence[int],
    encode: Callable[[str], Sequence[int]],
    token_bytes: Callable[[int], bytes],
    split: AbstractSet[str],
) -> Iterator[int]:
    """The tokens, those of ``split`` character by character."""
    for token in tokens:
        # A token of bytes that are no whole characters is never one of them.
        characters = token_bytes(token).decode("utf-8", "replace")
        if characters in split:
            for character in characters:
                yield from encode(character)
        else:
            yield token


def char_tokens(text: str, token_bytes: Sequence[bytes]) -> list[int]:
    """For each character the token in which its last byte lies; the tokens' bytes together are the text's."""
    ends = []
    at = 0
    for data in token_bytes:
        at += len(data)
        ends.append(at)
    found = []
    at = token = 0
    for char in text:
        at += len(char.encode("utf-8", "surrogatepass"))
        while ends[token] < at:
            token += 1
        found.append(token)
    return found


def _one_by_one(text: str, encode: Callable[[str], Sequence[int]]) -> tuple[list[int], list[int]]:
    tokens: list[int] = []
    token_of: list[int] = []
    for char in text:
        tokens += encode(char)
        # A character that the tokenizer drops stands with the one before it.
        token_of.append(max(len(tokens) - 1, 0))
    return tokens, token_of


def _places(token_of: Sequence[int]) -> list[int]:
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for place, token in enumerate(token_of):
        first.setdefault(token, place)
        last[token] = place
    return [
        min(place - first[token], REACH - 1) * REACH + min(last[token] - place, REACH - 1)
        for place, token in enumerate(token_of)
    ]
