"""Label Studio export (JSON): an array of tasks with ``data.text`` and results of type ``labels``.

The finished annotation is read, else the prediction. Ends are exclusive. Older versions count UTF-16 units rather
than code points; which, is found from the entity strings of each task.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate
from typing import TextIO

from pydantic import BaseModel, ValidationError

from medner.store.corpora.doccano import number_or_text
from medner.store.corpora.format import Format, Mention, Note, Reading, Writing
from medner.store.corpora.json_out import write_array
from medner.store.corpora.source import (
    RawRecord,
    array_layout,
    complaint,
    json_array,
    parse,
    read_records,
    read_unicode,
)
from medner.store.records import Document


class _Value(BaseModel):
    start: int
    end: int
    text: str | None = None
    labels: list[str]


class _Result(BaseModel):
    type: str = ""
    value: dict[str, object] = {}  # other types of result hold other values


class _Work(BaseModel):
    result: list[_Result] = []
    was_cancelled: bool = False


class _Data(BaseModel):
    text: str
    id: str | int | None = None


class _Task(BaseModel):
    data: _Data
    id: str | int | None = None
    annotations: list[_Work] = []
    predictions: list[_Work] = []


def _read(reading: Reading) -> Iterator[Document]:
    text = read_unicode(reading.path)
    reading.set_layout(array_layout(text, reading.layout))
    yield from read_records(reading, json_array(reading, text, _is_task), _understand)


def _understand(reading: Reading, record: RawRecord) -> Document:
    task = parse(_Task, reading, record)
    done = [work for work in task.annotations if not work.was_cancelled]
    if task.predictions and not done and not reading.layout.predictions:
        reading.set_layout(replace(reading.layout, predictions=True))
    reading.notes[Note.OTHER_ANNOTATOR] += max(0, len(done) - 1)
    results = (done or task.predictions or [_Work()])[0].result
    reading.notes[Note.OTHER_LAYER] += sum(result.type != "labels" for result in results)
    mentions = [
        mention
        for number, result in enumerate(results)
        if result.type == "labels"
        for mention in _mentions(reading, result, record.place, f"result.{number}.value")
    ]
    name = task.data.id if task.data.id is not None else task.id
    return reading.document(
        reading.made_up_id(record.place) if name is None else str(name),
        task.data.text,
        _in_code_points(reading, task.data.text, mentions),
        line=record.place,
    )


def _mentions(reading: Reading, result: _Result, place: int, key: str) -> list[Mention]:
    try:
        value = _Value.model_validate(result.value, strict=True)
    except ValidationError as error:
        raise reading.error(*complaint(error, place, key)) from error
    return [Mention(value.start, value.end, label, value.text, key) for label in value.labels]


def _in_code_points(reading: Reading, text: str, mentions: list[Mention]) -> list[Mention]:
    mentions = [_with_breaks(mention, text) for mention in mentions]
    if text.isascii() or max(text) <= "\uffff" or all(_fits(mention, text) for mention in mentions):
        return mentions
    units = accumulate((2 if char > "\uffff" else 1 for char in text), initial=0)
    code_points = {unit: at for at, unit in enumerate(units)}
    moved = [
        replace(mention, start=code_points.get(mention.start, -1), end=code_points.get(mention.end, -1))
        for mention in mentions
    ]
    if not all(_fits(mention, text) for mention in moved):
        return mentions
    reading.notes[Note.UTF16] += 1
    return moved


def _with_breaks(mention: Mention, text: str) -> Mention:
    """The mention with real line breaks: Label Studio writes them as a backslash and an n in entity strings."""
    if mention.text is None or "\\n" not in mention.text or _fits(mention, text):
        return mention
    return replace(mention, text=mention.text.replace("\\n", "\n"))


def _fits(mention: Mention, text: str) -> bool:
    if not 0 <= mention.start < mention.end <= len(text):
        return False
    return mention.text is None or text[mention.start : mention.end] == mention.text


def _is_task(value: object) -> bool:
    return isinstance(value, dict) and "data" in value


def _write(documents: Iterable[Document], out: TextIO, writing: Writing) -> None:
    write_array((_task(number, one, writing) for number, one in enumerate(documents, 1)), out, writing.layout)


def _task(number: int, document: Document, writing: Writing) -> dict[str, object]:
    own = number_or_text(document.id) if writing.layout.own_ids else None
    results = [
        {
            "id": f"{number}-{place}",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {
                "start": entity.start,
                "end": entity.end,
                "text": entity.text_in(document.text),
                "labels": [writing.label(entity.label)],
            },
        }
        for place, entity in enumerate(document.entities)
    ]
    task: dict[str, object] = {"id": own} if isinstance(own, int) else {}
    task["data"] = {"text": document.text} | ({"id": own} if isinstance(own, str) else {})
    work = "predictions" if writing.layout.predictions else "annotations"
    task[work] = [{"result": results}]
    return task


FORMAT = Format("label-studio", "Label Studio JSON export", _read, write_stream=_write)
