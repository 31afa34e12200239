"""The local engine: concurrent requests meet in one thread that runs the model in packed batches."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medner.agents.engines.engine import Completion, Request
from medner.agents.engines.local.batch import Batch, Choosing, Decoding, EncodingRow, Work
from medner.agents.engines.local.batch_thread import BatchThread
from medner.agents.engines.local.decoding import AnswerRow, Constraint
from medner.agents.engines.local.formats import Format
from medner.agents.engines.local.model import LocalModel
from medner.agents.prompts.messages import Message
from medner.agents.strategies.automaton import Automaton
from medner.core.errors import UserError
from medner.core.records import DecodingCost

if TYPE_CHECKING:
    import torch


class LocalEngine:
    """A model in this process, shared by any number of tasks.

    Requests that arrive together run together, whatever their adapters: up to ``max_rows`` at a time, and a new one
    joins as soon as another ends. An idle engine waits until ``at_once`` requests are there (None: ``max_rows``), at
    most ``gather_s`` after the first, so that the sentences of a document start as one batch. ``drafting`` False
    decodes token by token, for comparison. Engines that share a ``turn`` compute one after another: two would only take
    the cores from each other.
    """

    def __init__(
        self,
        model: LocalModel,
        *,
        max_rows: int = 16,
        at_once: int | None = None,
        gather_s: float = 0.01,
        drafting: bool = True,
        turn: threading.Lock | None = None,
    ) -> None:
        self.model = model
        self._drafting = drafting
        self._batch = Batch(model)
        self._thread = BatchThread(
            self._batch, max_rows=max_rows, at_once=at_once or max_rows, gather_s=gather_s, turn=turn
        )

    @classmethod
    def load(
        cls,
        path: Path,
        adapters: Mapping[str, Path] | None = None,
        *,
        format: Format | None = None,  # noqa: A002  the word for it
        **options: Any,
    ) -> LocalEngine:
        """The engine for a model folder and its adapters, in a number format, or in this machine's fastest."""
        return cls(LocalModel(path, adapters, format=format), **options)

    async def load_adapter(self, name: str, folder: Path) -> None:
        """Loads a further adapter between two passes; requests under way go on. UserError when it does not fit."""
        await self._do(None, lambda: self.model.load_adapter(name, folder))

    @property
    def passes(self) -> int:
        """How many forward passes the engine has run."""
        return self._batch.passes

    async def complete(self, request: Request) -> Completion:
        """The greedy answer to a chat."""
        began = time.perf_counter()
        work = await self._do(request.adapter, lambda: self._decoding(request))
        if not isinstance(work, Decoding):
            raise TypeError("a completion came back as something else")
        row = work.row
        text = self.model.tokenizer.decode(row.answer, skip_special_tokens=False)
        if request.graph is not None:
            # Bytes, not the tokenizer's decoder: that one tidies spaces and replaces what it thinks broken.
            data = b"".join(self.model.vocabulary.data(token) for token in row.answer)
            text = data.decode("utf-8", "surrogatepass" if not row.truncated else "ignore")
        cost = DecodingCost(
            passes=row.passes,
            prompt_tokens=row.prompt_length,
            answer_tokens=len(row.answer),
            drafted_tokens=row.drafted,
            seconds=time.perf_counter() - began,
        )
        return Completion(text, row.truncated, cost)

    async def choose(
        self, messages: Sequence[Message], options: Sequence[str], *, adapter: str | None = None
    ) -> list[float]:
        """The probability of each option as the answer's beginning, summing to 1 over the options."""
        if not options or not all(options):
            raise UserError("options to choose among must not be empty")
        firsts = tuple(self.model.vocabulary.encode(option)[0] for option in options)
        if len(set(firsts)) < len(firsts):
            raise UserError(f"options {', '.join(map(repr, options))} cannot be told apart by their first token")
        work = await self._do(adapter, lambda: self._choosing(tuple(messages), firsts, adapter))
        if not isinstance(work, Choosing):
            raise TypeError("a choice came back as something else")
        top = max(work.scores)
        weights = [math.exp(score - top) for score in work.scores]
        return [weight / sum(weights) for weight in weights]

    def tokens(self, text: str) -> list[int]:
        """The tokens of a plain text."""
        return self.model.vocabulary.encode(text)

    def token_bytes(self, token: int) -> bytes:
        """What a token stands for."""
        return self.model.vocabulary.data(token)

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
        if not 0 <= shared < len(tokens):
            raise UserError(f"{shared} of {len(tokens)} tokens cannot be shared with other calls here")
        if layers is not None and not 0 < layers <= self.model.layers:
            raise UserError(f"this base model has {self.model.layers} layers; a tagger on {layers} of them cannot run")
        work = await self._do(adapter, lambda: self._encoding(list(tokens), shared, adapter, two_way_from, layers))
        if not isinstance(work, EncodingRow) or work.hidden is None:
            raise TypeError("hidden states came back as something else")
        return work.hidden

    async def close(self) -> None:
        """Ends the thread; requests under way fail."""
        await self._thread.close()

    def _decoding(self, request: Request) -> Work:
        prompt, shared = self.model.prompt(request.messages)
        room = self._room(len(prompt))
        constraint = None
        if request.graph is not None:
            constraint = Constraint(Automaton(request.graph), self.model.vocabulary)
        row = AnswerRow(
            prompt,
            constraint,
            end_ids=self.model.end_ids,
            max_tokens=min(request.max_tokens, room),
            drafting=self._drafting,
        )
        return Decoding(row, shared, self.model.new_cache(len(prompt) + 128), request.adapter)

    def _choosing(self, messages: Sequence[Message], options: tuple[int, ...], adapter: str | None) -> Work:
        prompt, shared = self.model.prompt(messages)
        self._room(len(prompt))
        return Choosing(prompt, shared, options, self.model.new_cache(len(prompt)), adapter)

    def _encoding(
        self, tokens: list[int], shared: int, adapter: str | None, two_way_from: int | None, layers: int | None
    ) -> Work:
        self._room(len(tokens))
        cache = self.model.new_cache(len(tokens)) if shared else self.model.whole_row_cache(len(tokens))
        return EncodingRow(tokens, shared, cache, adapter, two_way_from, layers)

    def _room(self, prompt: int) -> int:
        """How many tokens of an answer fit behind a prompt of so many; UserError when none do."""
        room = self.model.context - prompt
        if room < 1:
            raise UserError(
                f"a prompt of {prompt} tokens and an answer do not fit the model's {self.model.context}; "
                "split sentences shorter (--max-chars) or give fewer examples"
            )
        return room

    async def _do(self, adapter: str | None, make: Callable[[], Work | None]) -> Work | None:
        if adapter is not None and adapter not in self.model.adapters:
            raise UserError(f"no adapter {adapter!r} is loaded; there are: {', '.join(self.model.adapters) or 'none'}")
        return await self._thread.do(make)
