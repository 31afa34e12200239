"""An encoder without a model, whose tokens are characters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from medner.agents.taggers.spans.tagger import SpanTagger


class LettersEncoder:
    """``states(tokens, shared)`` gives what :meth:`encode` does. Keeps what it was asked.

    ``asked`` holds the shared text, the rest of the text, and the adapter; ``two_way_from`` the last call's.
    """

    def __init__(self, states: Callable[[Sequence[int], int], torch.Tensor]) -> None:
        self._states = states
        self.asked: list[tuple[str, str, str | None]] = []
        self.two_way_from: int | None = None

    def tokens(self, text: str) -> list[int]:
        return [ord(char) for char in text]

    def token_bytes(self, token: int) -> bytes:
        return chr(token).encode()

    async def encode(
        self,
        tokens: Sequence[int],
        *,
        shared: int = 0,
        adapter: str | None = None,
        two_way_from: int | None = None,
        layers: int | None = None,
    ) -> torch.Tensor:
        self.asked.append(("".join(map(chr, tokens[:shared])), "".join(map(chr, tokens[shared:])), adapter))
        self.two_way_from = two_way_from
        return self._states(tokens, shared)


def asked_of(tagger: SpanTagger) -> list[tuple[str, str, str | None]]:
    """What the encoder of a tagger was asked."""
    from medner.agents.taggers.spans.states import EncodedStates

    states = tagger.states
    assert isinstance(states, EncodedStates)
    assert isinstance(states.encoder, LettersEncoder)
    return states.encoder.asked


def random_states(tokens: Sequence[int], shared: int) -> torch.Tensor:
    """A random state for every character, always the same one."""
    import torch

    return torch.stack([torch.randn(16, generator=torch.Generator().manual_seed(token)) for token in tokens])
