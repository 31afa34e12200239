"""What a span head makes of tokens, from an engine in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from medner.agents.engines.engine import Encoder
from medner.agents.taggers.spans.head import SpanHead

if TYPE_CHECKING:
    import torch


class TokenStates(Protocol):
    """Gives a span head's states of a text's tokens. Raises what an engine raises."""

    def tokens(self, text: str) -> list[int]:
        """The tokens of a plain text; what looks like a control token is text as well."""
        ...

    def token_bytes(self, token: int) -> bytes:
        """What a token of :meth:`tokens` stands for."""
        ...

    async def states(self, tokens: Sequence[int]) -> torch.Tensor:
        """The states [tokens, inner] in float32 on the CPU (:meth:`SpanHead.token_states`)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class EncodedStates:
    """The head's states on the hidden states of an engine.

    ``two_way_from`` is the first layer that looks both ways, ``layers`` how many of the base's layers are run (None:
    all); both must be what ``adapter`` was trained with.
    """

    encoder: Encoder
    head: SpanHead
    adapter: str | None
    two_way_from: int
    layers: int | None = None

    def tokens(self, text: str) -> list[int]:
        """The tokens of a plain text."""
        return self.encoder.tokens(text)

    def token_bytes(self, token: int) -> bytes:
        """What a token stands for."""
        return self.encoder.token_bytes(token)

    async def states(self, tokens: Sequence[int]) -> torch.Tensor:
        """The states of the tokens: one forward pass."""
        hidden_TW = await self.encoder.encode(
            tokens, adapter=self.adapter, two_way_from=self.two_way_from, layers=self.layers
        )
        return self.head.token_states(hidden_TW)
