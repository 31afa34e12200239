"""Texts annotated by a server while the caller waits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Mapping, Sequence

from medner._client.label_sets import LabelSets
from medner._documents import Document, from_annotated
from medner._texts import Text, as_given, counted
from medner.core.characters import is_blank
from medner.core.records import Document as PlainDocument
from medner.service.client.annotate import annotate
from medner.service.client.calls import Steps


def annotated(
    documents: Sequence[PlainDocument], options: Mapping[str, object], wait_s: float, labels: LabelSets
) -> Steps[list[Document]]:
    """A document a text, in order; a blank text's has no entities and is not sent."""
    sent = [one for one in documents if not is_blank(one.text)]
    by_id: dict[str, Document] = {}
    if sent:
        found = yield from annotate(sent, options, wait_s)
        facts = yield from labels.facts(found.labels)
        by_id = {one.document.id: from_annotated(one, facts) for one in found.documents}
    return [by_id[one.id] if one.id in by_id else Document(one.id, one.text) for one in documents]


def batches(texts: Iterable[Text], most: int) -> Iterator[list[PlainDocument]]:
    """The texts as documents, at most so many together, and never two of the same id."""
    held: dict[str, PlainDocument] = {}
    for number, text in enumerate(texts, 1):
        document = as_given(text, f"text-{number}")
        if len(held) >= most or document.id in held:
            yield [*held.values()]
            held = {}
        held[document.id] = document
    if held:
        yield [*held.values()]


async def async_batches(
    texts: Iterable[Text] | AsyncIterable[Text], most: int
) -> AsyncGenerator[list[PlainDocument], None]:
    """The same of texts that may come asynchronously."""
    held: dict[str, PlainDocument] = {}
    async for document in counted(texts):
        if len(held) >= most or document.id in held:
            yield [*held.values()]
            held = {}
        held[document.id] = document
    if held:
        yield [*held.values()]
