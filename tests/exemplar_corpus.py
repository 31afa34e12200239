"""Annotated sentences written for these tests, as a file of medner's JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

DISEASES = ["肺炎", "支气管炎", "鼻窦炎", "高血压", "高脂血症", "糖尿病", "甲亢", "胃溃疡", "十二指肠溃疡", "胆囊炎"]
SYMPTOMS = ["咳嗽", "咽痛", "头晕"]


def marked(id_: str, text: str, entities: Iterable[tuple[str, str]]) -> dict[str, object]:
    """A record; each entity (text, label) stands where its text stands first."""
    places = [(text.index(word), word, label) for word, label in entities]
    return {
        "id": id_,
        "text": text,
        "entities": [{"start": at, "end": at + len(word), "label": label, "text": word} for at, word, label in places],
    }


RECORDS = [
    *(marked(f"d{n}", f"既往患{word}多年，规律复诊。", [(word, "dis")]) for n, word in enumerate(DISEASES)),
    *(marked(f"s{n}", f"近来{word}，考虑肺炎。", [(word, "sym"), ("肺炎", "dis")]) for n, word in enumerate(SYMPTOMS)),
    marked("e", "予龘髎🩺针外用。", [("龘髎🩺针", "dru")]),
]


def write_corpus(path: Path, records: Iterable[dict[str, object]] = RECORDS) -> Path:
    """The records as a file."""
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), encoding="utf-8")
    return path
