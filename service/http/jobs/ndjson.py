"""Documents as JSON lines, read off a request while it comes and handed to the queue; never held whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from pydantic import ValidationError
from starlette.requests import Request

from medner.core.characters import is_blank
from medner.core.records import Document
from medner.service.http.access.limits import Limits, check_text, pieces
from medner.service.http.messages.problems import Problem, wrong
from medner.service.http.messages.requests import DocumentBody

_BOM = b"\xef\xbb\xbf"


async def line_documents(request: Request, limits: Limits) -> AsyncIterator[list[Document]]:
    """The documents of a body of JSON lines, as many at a time as a piece of it completes. Problem names the line."""
    number, rest = 0, b""
    async for piece in pieces(request, limits, most=limits.stream_bytes):
        *ended, rest = (rest + piece).split(b"\n")
        found = []
        for line in ended:
            number += 1
            found += _document(line, number, limits)
        if len(rest) > limits.line_bytes:
            raise _long_line(number + 1, limits)
        if found:
            yield found
    if last := _document(rest, number + 1, limits):
        yield last


def handed_over(batches: AsyncIterator[list[Document]]) -> Iterator[Document]:
    """The documents for a reader in another thread, who waits while the next ones come. Call it in the loop."""
    loop = asyncio.get_running_loop()

    def documents() -> Iterator[Document]:
        while (batch := asyncio.run_coroutine_threadsafe(_next(batches), loop).result()) is not None:
            yield from batch

    return documents()


async def _next(batches: AsyncIterator[list[Document]]) -> list[Document] | None:
    return await anext(batches, None)


def _document(line: bytes, number: int, limits: Limits) -> list[Document]:
    """The document of a line; none for a blank one."""
    if number == 1:
        line = line.removeprefix(_BOM)
    if is_blank(line.decode("utf-8", "replace")):
        return []
    if len(line) > limits.line_bytes:
        raise _long_line(number, limits)
    try:
        body = DocumentBody.model_validate_json(line)
    except ValidationError as error:
        reason, key = wrong(error, DocumentBody)
        where = f" [{key}]" if key else ""
        raise Problem(
            "bad-line",
            f'line {number}{where}: {reason}; a line is {{"id": "...", "text": "..."}} in UTF-8. No job was made',
            line=number,
            **({"key": key} if key else {}),
        ) from error
    check_text(body.text, limits, line=number)
    return [Document(body.id, body.text)]


def _long_line(number: int, limits: Limits) -> Problem:
    return Problem(
        "too-large",
        f"line {number} has more than {limits.line_bytes:,} bytes; one line is one document, cut it into parts",
        line=number,
    )
