"""The local engine: concurrent requests meet in one thread that runs the model in packed batches."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medner.agents.engines.engine import Completion, Request
from medner.agents.engines.local.batch import Batch, Choosing, Decoding, EncodingRow, Work
from medner.agents.engines.local.decoding import AnswerRow, Constraint
from medner.agents.engines.local.formats import Format
from medner.agents.engines.local.model import LocalModel
from medner.agents.prompts.messages import Message
from medner.agents.strategies.automaton import Automaton
from medner.core.errors import ExternalError, MednerError, UserError
from medner.core.records import DecodingCost

if TYPE_CHECKING:
    import torch


@dataclass(slots=True, eq=False)
class _Job:
    """A request in the queue or in the batch, and who waits for it."""

    make: Callable[[], Work | None]
    future: asyncio.Future[Work | None]
    loop: asyncio.AbstractEventLoop
    work: Work | None = None

    def resolve(self, result: Work | BaseException | None) -> None:
        """Hands the outcome to the waiting task's loop; does nothing when that is gone."""

        def settle() -> None:
            if self.future.done():
                return
            if isinstance(result, BaseException):
                self.future.set_exception(result)
            else:
                self.future.set_result(result)

        # The loop may close at any moment, also after it was asked whether it has.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(settle)

    @property
    def unwanted(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.future.cancelled() or self.loop.is_closed()


class LocalEngine:
    """A model in this process, shared by any number of tasks.

    Requests that arrive together run together, whatever their adapters: up to ``max_rows`` at a time, and a new one
    joins as soon as another ends. An idle engine waits ``gather_s`` after the first request, so that the sentences of
    a document start as one batch. ``drafting`` False decodes token by token, for comparison. Engines that share a
    ``turn`` compute one after another: two would only take the cores from each other.
    """

    def __init__(
        self,
        model: LocalModel,
        *,
        max_rows: int = 8,
        gather_s: float = 0.01,
        drafting: bool = True,
        turn: threading.Lock | None = None,
    ) -> None:
        self.model = model
        self._max_rows = max_rows
        self._gather_s = gather_s
        self._drafting = drafting
        self._turn = turn or threading.Lock()
        self._batch = Batch(model)
        self._jobs: list[_Job] = []
        self._waiting: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

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
        await self._submit(None, lambda: self.model.load_adapter(name, folder))

    @property
    def passes(self) -> int:
        """How many forward passes the engine has run."""
        return self._batch.passes

    async def complete(self, request: Request) -> Completion:
        """The greedy answer to a chat."""
        began = time.perf_counter()
        work = await self._submit(request.adapter, lambda: self._decoding(request))
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
        work = await self._submit(adapter, lambda: self._choosing(tuple(messages), firsts, adapter))
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
        work = await self._submit(adapter, lambda: self._encoding(list(tokens), shared, adapter, two_way_from, layers))
        if not isinstance(work, EncodingRow) or work.hidden is None:
            raise TypeError("hidden states came back as something else")
        return work.hidden

    async def close(self) -> None:
        """Ends the thread; requests under way fail."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

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

    async def _submit(self, adapter: str | None, make: Callable[[], Work | None]) -> Work | None:
        if adapter is not None and adapter not in self.model.adapters:
            raise UserError(f"no adapter {adapter!r} is loaded; there are: {', '.join(self.model.adapters) or 'none'}")
        loop = asyncio.get_running_loop()
        job = _Job(make, loop.create_future(), loop)
        with self._wake:
            if self._closed:
                raise ExternalError("the engine is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="medner-local-engine", daemon=True)
                self._thread.start()
            self._waiting.append(job)
            self._wake.notify()
        return await job.future

    def _run(self) -> None:
        ended: Exception = ExternalError("the engine was closed")
        try:
            while self._admit():
                if self._jobs:
                    self._step()
        except Exception as error:  # noqa: BLE001  without the thread, everyone would wait for ever
            ended = error
        with self._wake:
            self._closed = True
        self._fail(ended)

    def _step(self) -> None:
        try:
            with self._turn:
                finished = self._batch.step()
        except Exception as error:  # noqa: BLE001  whatever torch raises belongs to the waiting tasks
            self._fail(error)
            return
        for work in finished:
            self._finish(work)

    def _fail(self, error: Exception) -> None:
        told = _as_medner_error(error)
        for job in self._jobs:
            job.resolve(told)
        self._jobs.clear()
        self._batch.work.clear()
        if self._closed:
            while self._waiting:
                self._waiting.popleft().resolve(told)

    def _finish(self, work: Work) -> None:
        job = next(job for job in self._jobs if job.work is work)
        self._jobs.remove(job)
        job.resolve(work)

    def _admit(self) -> bool:
        """Fills the batch from the queue, waiting for work if there is none; False once the engine is closed."""
        with self._wake:
            idle = not self._jobs
            while idle and not self._waiting and not self._closed:
                self._wake.wait()
            if self._closed:
                return False
            if idle:
                self._wake.wait_for(lambda: self._closed or len(self._waiting) >= self._max_rows, self._gather_s)
            free = self._max_rows - len(self._jobs)
            admitted = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
        for job in admitted:
            self._start(job)
        self._drop_unwanted()
        return True

    def _start(self, job: _Job) -> None:
        if job.unwanted:
            return
        try:
            job.work = job.make()
            if job.work is None:
                job.resolve(None)
                return
            self._batch.add(job.work)
        except Exception as error:  # noqa: BLE001  one bad request must not end the others
            job.resolve(_as_medner_error(error))
            return
        self._jobs.append(job)

    def _drop_unwanted(self) -> None:
        gone = [job for job in self._jobs if job.unwanted]
        for job in gone:
            self._jobs.remove(job)
            self._batch.work = [work for work in self._batch.work if work is not job.work]


def _as_medner_error(error: Exception) -> MednerError:
    if isinstance(error, MednerError):
        return error
    return ExternalError(f"the model failed: {type(error).__name__}: {error}")
