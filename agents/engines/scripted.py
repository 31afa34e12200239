"""An engine that answers from a script, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from medner.agents.engines.engine import Completion, Request
from medner.agents.prompts.messages import Message
from medner.core.records import DecodingCost


class ScriptedEngine:
    """Answers with ``answer(request)``; an exception it returns is raised. Keeps the requests it got.

    ``probabilities`` answers :meth:`choose`; by default all options are equally likely.
    """

    def __init__(
        self,
        answer: Callable[[Request], str | Exception],
        probabilities: Callable[[Sequence[Message], Sequence[str]], list[float]] | None = None,
    ) -> None:
        self._answer = answer
        self._probabilities = probabilities
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Completion:
        """The script's answer."""
        self.requests.append(request)
        said = self._answer(request)
        if isinstance(said, Exception):
            raise said
        return Completion(said, cost=DecodingCost(passes=1, answer_tokens=len(said)))

    async def choose(
        self,
        messages: Sequence[Message],
        options: Sequence[str],
        *,
        adapter: str | None = None,  # noqa: ARG002  the contract's name
    ) -> list[float]:
        """The script's probabilities."""
        if self._probabilities is None:
            return [1 / len(options)] * len(options)
        return self._probabilities(messages, options)

    async def close(self) -> None:
        """Nothing to end."""
