"""Span heads' states of tokens from a vLLM server: one request for all taggers that it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from medner.agents.engines.engine import TokenPooler
from medner.agents.engines.local.tokenizer_file import TokenizerFile
from medner.agents.engines.local.vocabulary import Vocabulary
from medner.agents.taggers.spans.served.identity import SIZE
from medner.agents.taggers.spans.sharing import SharedScores
from medner.core.errors import ExternalError, UserError

#: Before a tagger's numbers of a token: its identity, and how many numbers follow.
HEADER = SIZE + 1


@dataclass(frozen=True, slots=True, eq=False)
class AllStates:
    """The states of a text's tokens by the taggers' identities."""

    of: Mapping[bytes, torch.Tensor]

    @property
    def size_bytes(self) -> int:
        """What they take in memory."""
        return sum(states.numel() * states.element_size() for states in self.of.values())


class SpanServer:
    """A model on servers that runs span taggers: asked once a text, whichever of its taggers want the states.

    ``base`` is what the base model is called, ``folder`` where it lies on this machine; only its tokenizer is read.
    """

    def __init__(self, engine: TokenPooler, model: str, *, base: str, folder: Path) -> None:
        self.model = model
        self.base = base
        self._engine = engine
        self._vocabulary = Vocabulary(TokenizerFile(folder), frozenset())
        self._shared: SharedScores[tuple[int, ...], AllStates] = SharedScores()

    def tokens(self, text: str) -> list[int]:
        """The tokens of a plain text."""
        return self._vocabulary.encode(text)

    def token_bytes(self, token: int) -> bytes:
        """What a token stands for."""
        return self._vocabulary.data(token)

    async def states(self, tokens: Sequence[int]) -> AllStates:
        """The states of all taggers on the server. ExternalError for an answer that is not of such a model."""
        return await self._shared.of(tuple(tokens), self._asked)

    async def _asked(self, tokens: tuple[int, ...]) -> AllStates:
        return AllStates(by_identity(await self._engine.pool_tokens(self.model, tokens), self.model))


@dataclass(frozen=True, slots=True, eq=False)
class ServedStates:
    """One tagger's states from a server, which must run just this tagger: ``identity``, with ``inner`` numbers."""

    server: SpanServer
    name: str
    identity: bytes
    inner: int

    def tokens(self, text: str) -> list[int]:
        """The tokens of a plain text."""
        return self.server.tokens(text)

    def token_bytes(self, token: int) -> bytes:
        """What a token stands for."""
        return self.server.token_bytes(token)

    async def states(self, tokens: Sequence[int]) -> torch.Tensor:
        """The states of the tokens. UserError where the server runs another tagger."""
        given = (await self.server.states(tokens)).of
        problem = problem_of(given, self.identity, self.inner)
        if problem is not None:
            raise UserError(f"tagger {self.name!r}: the model {self.server.model} on the vLLM servers {problem}")
        return given[self.identity]


def by_identity(numbers_TN: torch.Tensor, model: str) -> dict[bytes, torch.Tensor]:
    """A server's answer, tagger by tagger. ExternalError where it is not of a model that runs span taggers."""
    found: dict[bytes, torch.Tensor] = {}
    at, width = 0, numbers_TN.shape[1] if numbers_TN.ndim == 2 and len(numbers_TN) else 0
    while at + HEADER <= width:
        header = numbers_TN[0, at : at + HEADER].tolist()
        if not all(0 <= one < 256 and one == int(one) for one in header[:SIZE]) or not 0 < header[SIZE] <= width:
            break
        begin, end = at + HEADER, at + HEADER + int(header[SIZE])
        found[bytes(map(int, header[:SIZE]))] = numbers_TN[:, begin:end]
        at = end
    if not found or at != width:
        raise ExternalError(
            f"model {model}: the server's answer is not one of medner's model classes (span taggers, llm-cls); "
            "start it with medner serve-models, with this version of medner beside vLLM"
        )
    return found


def problem_of(
    given: Mapping[bytes, torch.Tensor], identity: bytes, inner: int, *, others: str = "other span taggers"
) -> str | None:
    """Why an answer is not of the tagger, but of ``others``; None where it is."""
    states = given.get(identity)
    if states is None:
        there = ", ".join(one.hex() for one in given)
        return (
            f"runs {others} ({there}) than this one ({identity.hex()}: adapter, head, layers and base model's name); "
            "start it again with this configuration (medner serve-models)"
        )
    if states.shape[1] != inner:
        return f"gives {states.shape[1]} numbers a token, this tagger has {inner}"
    return None
