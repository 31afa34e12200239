"""A job's results as a stream, in medner's own forms and in every format that `medner convert` writes."""

from __future__ import annotations

import asyncio
import io
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TextIO, cast

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import AnnotatedDocument, Document
from medner.service.config.frozen import thaw
from medner.service.http.context import service_of
from medner.service.http.jobs.decided import decided_results
from medner.service.http.messages.answers import EntityAnswer, ResultLine
from medner.service.http.messages.requests import ResultsQuery
from medner.service.http.messages.responses import query_of
from medner.service.http.operation import JSON, LINES
from medner.store.corpora import FORMATS, annotated_to_line, write_documents
from medner.store.jobs import JobView

ZIP = "application/zip"
_PLAIN = "text/plain; charset=utf-8"
#: Media type and the end of the file's name by format; others are plain text.
_FORMS = {
    "jsonl": (LINES, "jsonl"),
    "doccano": (LINES, "jsonl"),
    "ccks": (LINES, "jsonl"),
    "label-studio": (JSON, "json"),
    "cmeee": (JSON, "json"),
}
_PIECE_CHARS = 1 << 16


async def results(request: Request) -> Response:
    """GET /v1/jobs/{id}/results"""
    service, job = service_of(request), str(request.path_params["id"])
    wanted = query_of(request, ResultsQuery).format
    view = await service.view(job)
    documents = decided_results(service, job)
    # The first before the headers: what fails at once has a status of its own.
    first = await anext(documents, None)
    missing = view.counts.sentences - view.counts.done
    headers = {"Medner-Job-State": view.state.value, "Medner-Sentences-Missing": str(missing)}
    whole = _whole(first, documents)
    if wanted in _LINES:
        return StreamingResponse(_lines(whole, _LINES[wanted]), headers=headers, media_type=LINES)
    return await _converted(view, whole, wanted, headers)


async def _whole(
    first: AnnotatedDocument | None, rest: AsyncIterator[AnnotatedDocument]
) -> AsyncIterator[AnnotatedDocument]:
    if first is not None:
        yield first
    async for document in rest:
        yield document


async def _lines(
    documents: AsyncIterator[AnnotatedDocument], line: Callable[[AnnotatedDocument], str]
) -> AsyncIterator[str]:
    async for document in documents:
        yield line(document) + "\n"


def _entities_line(document: AnnotatedDocument) -> str:
    text = document.document.text
    entities = tuple(
        EntityAnswer(start=one.start, end=one.end, label=one.label, text=one.text_in(text)) for one in document.entities
    )
    return ResultLine(id=document.document.id, entities=entities).model_dump_json()


_LINES: dict[str, Callable[[AnnotatedDocument], str]] = {"entities": _entities_line, "full": annotated_to_line}


async def _converted(
    view: JobView, documents: AsyncIterator[AnnotatedDocument], wanted: str, headers: dict[str, str]
) -> Response:
    labels = await asyncio.to_thread(_label_set, view)
    # Also those that may be one file, of one document alone.
    folder = FORMATS[wanted].write_folder is not None
    media, ending = (ZIP, "zip") if folder else _FORMS.get(wanted, (_PLAIN, "txt"))
    headers = {**headers, "Content-Disposition": f'attachment; filename="{view.id}.{ending}"'}
    pieces = _written(documents, wanted, labels, _write_zip if folder else _write_stream)
    # What the format cannot hold at all is told by a status.
    first = await anext(pieces, b"")

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return StreamingResponse(whole(), headers=headers, media_type=media)


def _label_set(view: JobView) -> LabelSet | None:
    """The label set of a job, which names its types; None where it is no longer here."""
    try:
        return None if view.spec is None else thaw(view.spec.configuration).label_set
    except UserError:
        return None


class _Pieces(io.TextIOBase):
    """A file whose text goes to a reader in the loop; the writer waits for the reader."""

    def __init__(self, loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[bytes | None]) -> None:
        self._loop = loop
        self._queue = queue
        self._held: list[str] = []
        self._chars = 0
        self.abandoned = False

    def write(self, text: str) -> int:
        self._held.append(text)
        self._chars += len(text)
        if self._chars >= _PIECE_CHARS:
            self.hand_over()
        return len(text)

    def hand_over(self) -> None:
        """Gives what is held to the reader. BrokenPipeError when there is none any more."""
        data, self._held, self._chars = "".join(self._held).encode(), [], 0
        if data:
            self.send(data)

    def send(self, data: bytes) -> None:
        """Gives bytes to the reader."""
        if self.abandoned:
            raise BrokenPipeError
        asyncio.run_coroutine_threadsafe(self._queue.put(data), self._loop).result()


_Write = Callable[[Iterator[Document], str, LabelSet | None, _Pieces], None]


async def _written(
    documents: AsyncIterator[AnnotatedDocument], wanted: str, labels: LabelSet | None, write: _Write
) -> AsyncGenerator[bytes, None]:
    """What a writer in a thread of its own writes."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes | None](2)
    sink = _Pieces(loop, queue)

    def plain() -> Iterator[Document]:
        while (document := asyncio.run_coroutine_threadsafe(_next(documents), loop).result()) is not None:
            yield Document(document.document.id, document.document.text, document.entities)

    async def work() -> None:
        try:
            await asyncio.to_thread(write, plain(), wanted, labels, sink)
        finally:
            await queue.put(None)

    task = asyncio.create_task(work())
    try:
        while (piece := await queue.get()) is not None:
            yield piece
        await task
    finally:
        sink.abandoned = True
        # A writer that waits for room is let go, and meets the end of its pipe.
        while not task.done():
            while not queue.empty():
                queue.get_nowait()
            await asyncio.wait({task}, timeout=0.05)


async def _next(documents: AsyncIterator[AnnotatedDocument]) -> AnnotatedDocument | None:
    return await anext(documents, None)


def _write_stream(documents: Iterator[Document], wanted: str, labels: LabelSet | None, sink: _Pieces) -> None:
    write_documents(documents, cast(TextIO, sink), format=wanted, labels=labels)
    sink.hand_over()


def _write_zip(documents: Iterator[Document], wanted: str, labels: LabelSet | None, sink: _Pieces) -> None:
    """A folder of files as one ZIP file, by way of a folder that only this user may read."""
    with tempfile.TemporaryDirectory(prefix="medner-") as name:
        folder = Path(name) / "files"
        write_documents(documents, folder, format=wanted, labels=labels)
        archive = shutil.make_archive(str(Path(name) / "all"), "zip", folder)
        with Path(archive).open("rb") as file:
            while data := file.read(_PIECE_CHARS):
                sink.send(data)
