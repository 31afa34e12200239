"""Label Studio exports (JSON and JSON-MIN): tasks with a text and marked places, as array, lines or a single task.

The annotation that is ground truth is read, else the first finished one, else the first prediction. With --annotator
'*' every finished one makes a document of its own, ``ID@ANNOTATOR``. Ends are exclusive. Label Studio keeps ``data``
as it was imported and gives every task an ``id`` of its own, so ids are read from and written to ``data.id``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TextIO

from medner.core.records import Document
from medner.store.corpora.json.entities import as_in_text, with_ends
from medner.store.corpora.json.fields import (
    BOOKKEEPING,
    drop_unread,
    id_field,
    id_text,
    listed,
    lookup,
    record_fields,
    text_field,
)
from medner.store.corpora.json.offsets import fits
from medner.store.corpora.json.output import write_records
from medner.store.corpora.json.records import json_records
from medner.store.corpora.json_formats.label_studio_results import region_mentions, regions_fit
from medner.store.corpora.reading.format import Format, Mention, Reading, Writing, number_or_text
from medner.store.corpora.reading.notes import Note
from medner.store.corpora.reading.raw_records import RawRecord, read_several
from medner.store.corpora.reading.read_options import EVERY_ANNOTATOR

_WORK = ("annotations", "completions", "predictions")
_NO_TEXT = BOOKKEEPING | {"id"}
_Fields = Mapping[str, object]


def _read(reading: Reading) -> Iterator[Document]:
    annotators = _Annotators(reading)
    yield from read_several(reading, json_records(reading, _is_task), annotators.understand)
    annotators.check()


@dataclass(frozen=True, slots=True)
class _Work:
    """The results of an annotation; ``by`` is added to the document's id, ``annotator`` is whose it is."""

    results: list[_Fields]
    by: str = ""
    annotator: str = ""


class _Annotators:
    """The reading's tasks, and who annotated them."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._names: dict[str, None] = {}
        self._chosen = 0

    def understand(self, reading: Reading, record: RawRecord) -> Iterator[Document]:
        """The task as a document, or as one an annotator; nothing where --annotator left it alone."""
        task, place = record_fields(reading, record), record.place
        minimal = not isinstance(task.get("data"), dict)
        works = self._minimal(task) if minimal else self._results(task)
        if not works:
            reading.notes[Note.NOT_BY_ANNOTATOR] += 1
        for work in works:
            results = work.results
            mentions = list(with_ends(reading, region_mentions(reading, place, results), inclusive=False))
            text, text_key = _text_of(reading, place, task, mentions)
            if not minimal:
                reading.drop_keys(f"data.{key}" for key in _data_of(task) if key not in (text_key, "id"))
            reading.unread.update(str(one.get("type")) for one in results if _is_odd_region(one))
            task_id = id_field(reading, place, task, ("data.id", "id"))
            name = task_id + work.by
            if work.annotator:
                reading.annotators[name] = task_id, work.annotator
            yield reading.document(name, text, as_in_text(reading, text, mentions), line=place)

    def _results(self, task: _Fields) -> list[_Work]:
        reading, wanted = self._reading, self._reading.options.annotator
        works = [one for key in _WORK[:2] for one in _objects(task.get(key))]
        done = [one for one in works if not (one.get("was_cancelled") or one.get("skipped"))]
        reading.notes[Note.CANCELLED] += len(works) - len(done)
        unread = task.get("annotations")
        if isinstance(unread, list) and unread and not _objects(unread):
            reading.unread["annotations (their numbers alone, without the annotations)"] += 1
        names = [_names_of(one.get("completed_by", one.get("created_username"))) for one in done]
        drop_unread(reading, task, (*_WORK, "data", "id"))
        if wanted == EVERY_ANNOTATOR:
            self._chosen += len(done)
            return [
                _Work(_objects(one.get("result")), mark, who)
                for one, (mark, who) in zip(done, _marks(names), strict=True)
            ]
        if wanted is not None:
            self._names |= dict.fromkeys(name for each in names for name in each[:1])
            done = [one for one, each in zip(done, names, strict=True) if wanted in each]
            self._chosen += len(done)
            if not done:
                return []
        predictions = [] if done else _objects(task.get("predictions"))
        if predictions and not reading.layout.predictions:
            reading.set_layout(replace(reading.layout, predictions=True))
        reading.notes[Note.PREDICTED] += bool(predictions)
        reading.notes[Note.UNANNOTATED] += not works and not predictions and any(key in task for key in _WORK[:2])
        done.sort(key=lambda one: not one.get("ground_truth"))
        reading.notes[Note.OTHER_ANNOTATOR] += max(0, len(done) - 1)
        return [_Work(_objects((done or predictions or [{}])[0].get("result")))]

    def _minimal(self, task: _Fields) -> list[_Work]:
        """The regions of JSON-MIN, where they lie in the task under the name of their control."""
        reading, wanted = self._reading, self._reading.options.annotator
        names, by, who = _names_of(task.get("annotator")), "", ""
        if wanted == EVERY_ANNOTATOR:
            ((by, who),) = _marks([names])
        elif wanted is not None:
            self._names |= dict.fromkeys(names[:1])
            if wanted not in names:
                return []
        self._chosen += 1
        keys = [key for key, value in task.items() if is_minimal_list(value)]
        drop_unread(reading, task, ("text", "id", "annotator", *keys))
        return [_Work([{"type": "labels", "value": one} for key in keys for one in _objects(task[key])], by, who)]

    def check(self) -> None:
        """UserError when --annotator names somebody who annotated nothing."""
        wanted = self._reading.options.annotator
        if wanted is not None and not self._chosen:
            if wanted == EVERY_ANNOTATOR:
                raise self._reading.error("--annotator '*': no task here has a finished annotation", None)
            raise self._reading.error(
                f"--annotator: nothing here is by {wanted!r}; there are annotations by {listed(self._names)}", None
            )


def is_minimal_list(value: object) -> bool:
    """Whether the value holds regions as JSON-MIN does."""
    found = _objects(value)
    return bool(found) and all({"start", "end", "labels"} <= one.keys() or "hypertextlabels" in one for one in found)


def _objects(value: object) -> list[_Fields]:
    """The objects of a list; nothing for null, and for the numbers that stand for objects in some exports."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _is_odd_region(result: _Fields) -> bool:
    kind = result.get("type")
    return isinstance(kind, str) and kind.endswith("labels") and not regions_fit(result)


def _names_of(who: object) -> list[str]:
    """What a person may be called: number, mail address, name."""
    if isinstance(who, dict):
        parts = [id_text(who.get(key)) for key in ("email", "username", "id")]
        full = " ".join(str(who[key]) for key in ("first_name", "last_name") if who.get(key))
        return [name for name in (*parts, full) if name]
    name = id_text(who)
    return [] if name is None else [name]


def _marks(annotators: list[list[str]]) -> list[tuple[str, str]]:
    """What tells the annotations of a task apart, and the annotator: a number goes with the second by the same."""
    seen: Counter[str] = Counter()
    marks = []
    for place, names in enumerate(annotators, 1):
        name = names[0] if names else str(place)
        seen[name] += 1
        marks.append((f"@{name}" + (f"-{seen[name]}" if seen[name] > 1 else ""), name))
    return marks


def _text_of(reading: Reading, place: int, task: _Fields, mentions: list[Mention]) -> tuple[str, str]:
    """The task's text and its key: data.text, or the only string of the data, or the only one that the regions fit."""
    fields = _data_of(task)
    if reading.options.text_key is not None:
        inside = lookup(fields, reading.options.text_key)[0]
        return text_field(reading, place, fields if inside else task, ())
    if "text" in fields:
        return text_field(reading, place, fields, ("text",))
    strings = {key: value for key, value in fields.items() if isinstance(value, str) and key not in _NO_TEXT}
    if len(strings) > 1 and mentions:
        strings = {key: value for key, value in strings.items() if all(fits(one, value) for one in mentions)}
    return text_field(reading, place, fields, tuple(strings) if len(strings) == 1 else ("text",))


def _data_of(task: _Fields) -> _Fields:
    """What was imported, which JSON-MIN writes into the task itself."""
    data = task.get("data")
    return data if isinstance(data, dict) else task


def _is_task(value: object) -> bool:
    return isinstance(value, dict) and "data" in value


def _write(documents: Iterable[Document], out: TextIO, writing: Writing) -> None:
    write_records((_task(number, one, writing) for number, one in enumerate(documents, 1)), out, writing.layout)


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
    work = "predictions" if writing.layout.predictions else "annotations"
    data = {"text": document.text} | ({} if own is None else {"id": own})
    return {"data": data, work: [{"result": results}]}


FORMAT = Format(
    "label-studio",
    "Label Studio JSON export",
    _read,
    write_stream=_write,
    expects="annotations with results of type 'labels'",
)
