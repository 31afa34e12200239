"""The contract of an engine, and what goes in and out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from medner.agents.prompts.messages import Message
from medner.agents.strategies.automaton import PieceGraph
from medner.core.records import DecodingCost

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Request:
    """One chat to answer greedily.

    ``graph`` constrains the answer; None leaves it free. ``adapter`` names a LoRA adapter the engine has loaded;
    None is the base model. ``max_tokens`` ends an answer that would not end by itself.
    """

    messages: tuple[Message, ...]
    graph: PieceGraph | None = None
    adapter: str | None = None
    max_tokens: int = 1_024


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer. ``truncated``: it was ended by ``max_tokens``."""

    text: str
    truncated: bool = False
    cost: DecodingCost = DecodingCost()  # noqa: RUF009  frozen


class Engine(Protocol):
    """Runs a language model. Safe to call from many tasks at once; concurrent calls share forward passes.

    Raises ExternalError when the model cannot be reached or run, UserError for an adapter it does not have.
    """

    async def complete(self, request: Request) -> Completion:
        """The greedy answer to a chat."""
        ...

    async def choose(
        self, messages: Sequence[Message], options: Sequence[str], *, adapter: str | None = None
    ) -> list[float]:
        """The probability of each option as the answer's beginning, summing to 1 over the options.

        Options are told apart by their first token; UserError when two share it.
        """
        ...

    async def close(self) -> None:
        """Ends the engine; requests under way fail with ExternalError."""
        ...


@runtime_checkable
class AdapterLoader(Protocol):
    """An engine that takes further adapters while it runs."""

    async def load_adapter(self, name: str, folder: Path) -> None:
        """Loads an adapter under a name; UserError when there is one of this name, or when it does not fit."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Gives a language model's hidden states: for span taggers, classifiers and embeddings.

    Concurrent calls share forward passes. Raises what :class:`Engine` raises.
    """

    def tokens(self, text: str) -> list[int]:
        """The tokens of a plain text; what looks like a control token is text as well."""
        ...

    def token_bytes(self, token: int) -> bytes:
        """What a token of :meth:`tokens` stands for."""
        ...

    async def encode(
        self,
        tokens: Sequence[int],
        *,
        shared: int = 0,
        adapter: str | None = None,
        two_way_from: int | None = None,
        layers: int | None = None,
    ) -> torch.Tensor:
        """The last hidden states of the tokens, [tokens - shared, width] in float32 on the CPU.

        ``layers`` is how many of the model's layers they run through, from the first on, None: all.

        The first ``shared`` tokens are the same in other calls, are run once for all of them, and have no states in
        the result. In layers from ``two_way_from`` on a token also sees those behind it, None: in no layer; with
        ``shared`` ones only these see one another so, and the rest sees what stands before it.
        """
        ...


@runtime_checkable
class TokenPooler(Protocol):
    """An engine whose servers hold models that give numbers for each token: span taggers (``agents/taggers/spans``)."""

    async def pool_tokens(self, model: str, tokens: Sequence[int]) -> torch.Tensor:
        """A model's numbers [tokens, numbers] in float32 on the CPU. Raises what an engine raises."""
        ...


@runtime_checkable
class Classifier(Protocol):
    """An engine whose servers hold models that score a text: what ``medner export`` made of a filter."""

    async def classify(self, model: str, texts: Sequence[str]) -> list[float]:
        """The raw score (logit) that a model on a server gives each text. Raises what an engine raises."""
        ...
