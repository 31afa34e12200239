"""What users hand in to be annotated: texts and documents, one or a stream of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping

from medner._documents import Document, as_plain
from medner.core.characters import is_blank
from medner.core.errors import UserError
from medner.core.records import Document as PlainDocument

Text = str | Document


def as_given(text: object, id_: str) -> PlainDocument:
    """A text as a document to annotate. UserError for what is none."""
    if isinstance(text, Document):
        return as_plain(text)
    if not isinstance(text, str):
        raise UserError(f"{id_}: a text must be a string or a medner.Document, got {type(text).__name__}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(f"{id_}: character {error.start} is half a surrogate pair, which is no text") from error
    return PlainDocument(id_, text)


def single(text: object, id_: str | None) -> PlainDocument:
    """A text that is the only one. UserError where it is blank: nothing could come of it."""
    document = as_given(text, id_ or "text")
    if is_blank(document.text):
        raise UserError("the text is empty: there is nothing to annotate")
    return document


def check_stream(texts: object, ahead: int) -> None:
    """UserError for what is no stream of texts: a single text would be read letter by letter."""
    is_stream = isinstance(texts, Iterable | AsyncIterable)
    if not is_stream or isinstance(texts, str | bytes | Document | Mapping):
        raise UserError(
            f"pipe takes a list or another iterable of texts, not {type(texts).__name__}; for one: annotate"
        )
    if ahead < 1:
        raise UserError(f"ahead must be at least 1, got {ahead}")


async def counted(texts: Iterable[Text] | AsyncIterable[Text]) -> AsyncIterator[PlainDocument]:
    """The texts as documents; those without an id are numbered from 1."""
    number = 0
    if isinstance(texts, AsyncIterable):
        async for text in texts:
            number += 1
            yield as_given(text, f"text-{number}")
    else:
        for text in texts:
            number += 1
            yield as_given(text, f"text-{number}")
            await asyncio.sleep(0)
