"""Annotating from Python: models that are loaded once and kept, for one text or for a stream of them."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Literal, Self

from medner._documents import Document, RunFacts, from_annotated
from medner._settings import configuration_of
from medner._texts import Text, as_given, check_stream, counted, single
from medner._twins import ClosedByBlock, SynchronousTwin
from medner.core.errors import UserError

if TYPE_CHECKING:
    import pandas

    from medner.agents.engines.engine import Engine
    from medner.core.labels import LabelSet
    from medner.core.records import Document as PlainDocument
    from medner.graph import Pipeline
    from medner.service.config.options import Overrides

#: So many texts are read ahead of the document that is given, so that short ones fill the engine's batches.
AHEAD = 64

Place = str | os.PathLike[str]
Trace = Literal["all", "conflicts", "none"]


class AsyncAnnotator(ClosedByBlock):
    """Annotates texts with models that stay loaded. Made by :func:`medner.load_async`; use it with ``async with``.

    It belongs to the event loop that it was opened on. Calls may overlap: their sentences share the engine's batches.
    """

    def __init__(
        self, overrides: Overrides, engine: Engine | None = None, trace: Trace = "none", traces: Place | None = None
    ) -> None:
        self._configuration = configuration_of(_resolved(overrides))
        self._engine = engine
        self._trace = trace
        self._traces = traces
        self._closing = AsyncExitStack()
        self._pipeline: Pipeline | None = None
        self._facts = RunFacts(
            self._configuration.label_set,
            self._configuration.described(),
            {language: line for language in ("zh", "en") if (line := self._configuration.notice(language)) is not None},
        )

    @property
    def labels(self) -> LabelSet:
        """The label set: its types with their codes and Chinese names."""
        return self._configuration.label_set

    @property
    def taggers(self) -> tuple[str, ...]:
        """The names of the taggers."""
        return tuple(tagger.name for tagger in self._configuration.taggers)

    @property
    def notice(self) -> str | None:
        """What a user of the results must know, for example that no tagger is tuned; None where there is nothing."""
        return self._facts.notices.get("en")

    async def open(self) -> Self:
        """Loads the models; ``async with`` does it. UserError where one is missing, with the way to get it."""
        from medner.service.build.engines import local_engine, model_folder
        from medner.service.build.pipeline import assembled
        from medner.service.build.run_engines import needs_model
        from medner.service.build.trace_recording import TraceOrder, recording, run_record
        from medner.store.traces import TracePolicy

        if self._pipeline is not None:
            return self
        configuration, engine = self._configuration, self._engine
        model = model_folder(configuration) if engine is None and needs_model(configuration) else None
        factory = local_engine if engine is None else lambda _: engine
        order = TraceOrder(TracePolicy(self._trace), None if self._traces is None else os.fspath(self._traces))
        try:
            recorded = self._closing.enter_context(recording(order, run_record(configuration, order, kind="annotate")))
            tracer = None if recorded is None else recorded.tracer
            opened = assembled(configuration, model=model, engine_factory=factory, tracer=tracer)
            self._pipeline = await self._closing.enter_async_context(opened)
        except BaseException:
            await self._closing.aclose()
            raise
        return self

    async def close(self) -> None:
        """Frees the models; ``async with`` does it."""
        self._pipeline = None
        await self._closing.aclose()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def annotate(self, text: Text, *, id: str | None = None) -> Document:  # noqa: A002
        """The document of a text. UserError for a text that is blank or no string; ``id`` None is ``"text"``."""
        return await self._annotate(single(text, id))

    async def pipe(self, texts: Iterable[Text] | AsyncIterable[Text], *, ahead: int = AHEAD) -> AsyncIterator[Document]:
        """A document a text, in order. At most ``ahead`` texts are read before the document that comes next.

        Texts get the ids ``text-1``, ``text-2`` ...; documents keep theirs. A blank text gives a document without
        entities. An error of ``texts`` comes after the documents of the texts before it.
        """
        check_stream(texts, ahead)
        waiting: deque[asyncio.Task[Document]] = deque()
        problem: Exception | None = None
        source = counted(texts)
        try:
            while problem is None:
                try:
                    document = await anext(source, None)
                except Exception as error:  # noqa: BLE001  raised below, in its turn
                    problem = error
                    break
                if document is None:
                    break
                waiting.append(asyncio.create_task(self._annotate(document)))
                while len(waiting) >= ahead or (waiting and waiting[0].done()):
                    yield await waiting.popleft()
            while waiting:
                yield await waiting.popleft()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        if problem is not None:
            raise problem

    async def to_frame(self, texts: Iterable[Text] | AsyncIterable[Text]) -> pandas.DataFrame:
        """A pandas table of all texts, a row an entity; column ``document`` holds the text's id."""
        from medner._display import frame

        frame(())  # without pandas this ends here, before any text is annotated
        return frame([document async for document in self.pipe(texts)])

    async def _annotate(self, document: PlainDocument) -> Document:
        return from_annotated(await self._loaded.annotate_document(document), self._facts)

    @property
    def _loaded(self) -> Pipeline:
        if self._pipeline is None:
            raise UserError("no models are loaded: use it in a with block, or call open() first")
        return self._pipeline


class Annotator(SynchronousTwin[AsyncAnnotator]):
    """Annotates texts with models that stay loaded. Made by :func:`medner.load`; use it with ``with``, or close it.

    It may be used from any thread, and where an event loop runs, as in a notebook.
    """

    def __init__(
        self, overrides: Overrides, engine: Engine | None = None, trace: Trace = "none", traces: Place | None = None
    ) -> None:
        super().__init__(AsyncAnnotator(overrides, engine, trace, traces), "medner-annotator")

    @property
    def labels(self) -> LabelSet:
        """The label set: its types with their codes and Chinese names."""
        return self._async.labels

    @property
    def taggers(self) -> tuple[str, ...]:
        """The names of the taggers."""
        return self._async.taggers

    @property
    def notice(self) -> str | None:
        """What a user of the results must know, for example that no tagger is tuned; None where there is nothing."""
        return self._async.notice

    def __del__(self) -> None:
        # One that nobody holds any more frees its models, as `nlp = medner.load(...)` run again in a notebook.
        if hasattr(self, "_loop") and not self._loop.closed:
            self._loop.close_after(self._async.close())

    def annotate(self, text: Text, *, id: str | None = None) -> Document:  # noqa: A002
        """The document of a text. UserError for a text that is blank or no string; ``id`` None is ``"text"``."""
        return self._loop.run(self._async.annotate(text, id=id))

    def pipe(self, texts: Iterable[Text], *, ahead: int = AHEAD) -> Iterator[Document]:
        """A document a text, in order. At most ``ahead`` texts are read before the document that comes next.

        Texts get the ids ``text-1``, ``text-2`` ...; documents keep theirs. A blank text gives a document without
        entities. ``texts`` is read in the calling thread; an error of it comes after the documents of the texts before.
        """
        check_stream(texts, ahead)
        return self._pipe(iter(texts), ahead)

    def _pipe(self, texts: Iterator[Text], ahead: int) -> Iterator[Document]:
        waiting: deque[Future[Document]] = deque()
        problem: Exception | None = None
        number = 0
        try:
            while problem is None:
                try:
                    text = next(texts)
                    number += 1
                    document = as_given(text, f"text-{number}")
                except StopIteration:
                    break
                except Exception as error:  # noqa: BLE001  raised below, in its turn
                    problem = error
                    break
                waiting.append(self._loop.submit(self._async._annotate(document)))
                while len(waiting) >= ahead or (waiting and waiting[0].done()):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
        if problem is not None:
            raise problem

    def to_frame(self, texts: Iterable[Text]) -> pandas.DataFrame:
        """A pandas table of all texts, a row an entity; column ``document`` holds the text's id."""
        from medner._display import frame

        frame(())  # without pandas this ends here, before any text is annotated
        return frame(self.pipe(texts))


def _resolved(overrides: Overrides) -> Overrides:
    """The settings with a judge of the registry looked up."""
    from medner.service.config.registered_judges import names_registered, resolved_now

    if not names_registered(overrides.judge):
        return overrides
    with ThreadPoolExecutor(1) as thread:  # it runs a loop of its own, and here one may run
        return thread.submit(resolved_now, overrides).result()
