"""Annotated documents as text for a terminal: each sentence with its entities under it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from medner.core.labels import LabelSet
from medner.core.records import AnnotatedDocument, AnnotatedEntity, Annotation, Decision

_BREAK = re.compile(r"\r\n|[\n\r]")
#: What stands behind an entity that was not said by all taggers alike.
MARKS = {Decision.AGREED: "", Decision.JUDGED: "  *", Decision.FALLBACK: "  ?", Decision.HUMAN: "  !"}
LEGEND = (
    "* disputed, kept by the judge   ? disputed, kept by the fallback rule   ! kept by a person   "
    "(offsets of the document)"
)


def plain_view(document: AnnotatedDocument, labels: LabelSet, *, heading: bool) -> Iterator[str]:
    """The lines: sentences, under each its entities as ``类型: 实体 [start,end)`` in offsets of the document."""
    if heading:
        yield f"== {visible(document.document.id)} =="
    for annotation in document.annotations:
        yield _in_one_line(annotation.sentence.text)
        for one in annotation.entities:
            yield "  " + _entity(one, annotation, labels)
        if not annotation.complete:
            reasons = "; ".join(failure.message for failure in annotation.failures)
            yield f"  ! no result: {visible(reasons)}"


def _entity(one: AnnotatedEntity, annotation: Annotation, labels: LabelSet) -> str:
    start, end = (at + annotation.sentence.offset for at in (one.entity.start, one.entity.end))
    text = _in_one_line(one.entity.text_in(annotation.sentence.text))
    return f"{labels.type_of(one.entity.label).name}: {text} [{start},{end}){MARKS[one.decision]}"


def _in_one_line(text: str) -> str:
    """The text with a sign for each line break, which sentences have with ``--join-lines``."""
    return visible(_BREAK.sub("⏎", text))


def visible(text: str) -> str:
    """The text with control characters replaced, which would steer a terminal."""
    return "".join(" " if char == "\t" else "\ufffd" if unicodedata.category(char) == "Cc" else char for char in text)
