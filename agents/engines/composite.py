"""An engine that writes on one engine and gives hidden states from another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from medner.agents.engines.engine import AdapterLoader, Classifier, Completion, Encoder, Engine, Request, TokenPooler
from medner.agents.prompts.messages import Message
from medner.core.errors import UserError

if TYPE_CHECKING:
    import torch


class EncodingEngine(Engine, Encoder, Protocol):
    """An engine that gives hidden states too."""


class CompositeEngine:
    """``writing`` answers chats, ``encoding`` gives hidden states: span taggers beside servers that only write."""

    def __init__(self, writing: Engine, encoding: EncodingEngine) -> None:
        self.writing = writing
        self.encoding = encoding

    async def complete(self, request: Request) -> Completion:
        """The greedy answer to a chat."""
        return await self.writing.complete(request)

    async def choose(
        self, messages: Sequence[Message], options: Sequence[str], *, adapter: str | None = None
    ) -> list[float]:
        """The probability of each option as the answer's beginning, summing to 1 over the options."""
        return await self.writing.choose(messages, options, adapter=adapter)

    async def classify(self, model: str, texts: Sequence[str]) -> list[float]:
        """The raw score that a model on a server gives each text."""
        if not isinstance(self.writing, Classifier):
            raise UserError(f"model {model}: this engine has no servers that classify")
        return await self.writing.classify(model, texts)

    async def pool_tokens(self, model: str, tokens: Sequence[int]) -> torch.Tensor:
        """A model's numbers for each token, from a server."""
        if not isinstance(self.writing, TokenPooler):
            raise UserError(f"model {model}: this engine has no servers that run span taggers")
        return await self.writing.pool_tokens(model, tokens)

    def tokens(self, text: str) -> list[int]:
        """The tokens of a plain text."""
        return self.encoding.tokens(text)

    def token_bytes(self, token: int) -> bytes:
        """What a token stands for."""
        return self.encoding.token_bytes(token)

    async def encode(
        self,
        tokens: Sequence[int],
        *,
        shared: int = 0,
        adapter: str | None = None,
        two_way_from: int | None = None,
        layers: int | None = None,
    ) -> torch.Tensor:
        """The last hidden states of the tokens behind the shared ones, [tokens - shared, width]."""
        return await self.encoding.encode(
            tokens, shared=shared, adapter=adapter, two_way_from=two_way_from, layers=layers
        )

    async def load_adapter(self, name: str, folder: Path) -> None:
        """Loads an adapter where hidden states come from; UserError where that engine takes none."""
        if not isinstance(self.encoding, AdapterLoader):
            raise UserError("this engine takes no further adapter while it runs")
        await self.encoding.load_adapter(name, folder)

    async def close(self) -> None:
        """Ends both; requests under way fail."""
        await asyncio.gather(self.writing.close(), self.encoding.close())
