"""Tokens inside which entities begin or end, so that a span tagger reads them character by character.

A hidden state belongs to a token. Where one half of a token is inside an entity and the other is not, the edge is
missed most of the time: on held-back CMeEE-V2 sentences a tagger found 22 % of such entities, and 79 % of the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from medner.agents.taggers.spans.alignment import align
from medner.core.records import Document

#: A token that entities cut less often than this in the training data stays whole.
LEAST_CUTS = 2


def split_tokens(
    sentences: Iterable[Document],
    encode: Callable[[str], Sequence[int]],
    token_bytes: Callable[[int], bytes],
) -> tuple[str, ...]:
    """The characters of each token inside which an entity begins or ends in :data:`LEAST_CUTS` places, sorted."""
    cuts: Counter[int] = Counter()
    for sentence in sentences:
        if not sentence.entities:
            continue
        aligned = align(sentence.text, encode, token_bytes)
        edges = {edge for entity in sentence.entities for edge in (entity.start, entity.end)}
        cuts.update(
            aligned.tokens[token]
            for token in {
                aligned.token_of[edge]
                for edge in edges
                if 0 < edge < len(sentence.text) and aligned.token_of[edge] == aligned.token_of[edge - 1]
            }
        )
    characters = (_characters(token_bytes, token) for token, count in cuts.items() if count >= LEAST_CUTS)
    return tuple(sorted({one for one in characters if one is not None and len(one) > 1}))


def _characters(token_bytes: Callable[[int], bytes], token: int) -> str | None:
    try:
        return token_bytes(token).decode("utf-8")
    except (UnicodeDecodeError, KeyError):
        return None  # a token of half a character cannot be split into characters
