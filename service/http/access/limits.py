"""How much a request may bring, and its body read within these limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import Request

from medner.service.http.messages.problems import Problem

_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a body that is held whole and of one that is streamed, characters of a text, streams at a time.

    ``idle_s``: a body of which nothing comes for so long is given up.
    """

    body_bytes: int = 8 * _MEBIBYTE
    stream_bytes: int = 16_384 * _MEBIBYTE
    text_chars: int = 200_000
    streams: int = 8
    idle_s: float = 30.0

    @property
    def line_bytes(self) -> int:
        """The longest line of a stream: a text in escapes (twelve bytes a character at most) and its id."""
        return 12 * self.text_chars + 4_096


async def pieces(request: Request, limits: Limits, *, most: int) -> AsyncIterator[bytes]:
    """The body as it comes. Problem when it is longer than ``most`` bytes, or does not come."""
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > most:
        raise _too_large(most)
    seen = 0
    body = request.stream()
    while True:
        try:
            async with asyncio.timeout(limits.idle_s):
                piece = await anext(body, None)
        except TimeoutError as error:
            raise Problem(
                "too-slow", f"nothing of the body came for {limits.idle_s:g} s; send it again, in smaller parts"
            ) from error
        if piece is None:
            return
        seen += len(piece)
        if seen > most:
            raise _too_large(most)
        if piece:
            yield piece


async def read_body(request: Request, limits: Limits, *, most: int | None = None) -> bytes:
    """A body that is held whole."""
    return b"".join([piece async for piece in pieces(request, limits, most=most or limits.body_bytes)])


def check_text(text: str, limits: Limits, **members: object) -> None:
    """Problem for a text that is longer than allowed."""
    if len(text) > limits.text_chars:
        raise Problem(
            "too-large",
            f"a text has {len(text):,} characters and may have {limits.text_chars:,}; cut the document into parts",
            **members,
        )


def _too_large(most: int) -> Problem:
    shown = f"{most / _MEBIBYTE:g} MiB"
    return Problem(
        "too-large",
        f"the body has more than {shown}; send documents as JSON lines (Content-Type: application/x-ndjson), "
        "which are streamed, or in several jobs",
    )
