"""The research corpora, where they are: counts as published, and whole files there and back."""

import io
import json
from collections import Counter
from pathlib import Path

import pytest

from medner.core.labels import load_label_set
from medner.core.records import Document
from medner.core.sentences import split_sentences
from medner.store.corpora import Note, Reading, read_documents, write_documents

pytestmark = pytest.mark.data
FILES = {
    "cmeee_v2/train_gold.json": ("cmeee", "cmeee-v2", 3979, 20713, 0),
    "cmeee_v2/test.json": ("cmeee", "cmeee-v2", 518, 2764, 0),
    "cmeee_v2/train_silver.json": ("cmeee", "cmeee-v2", 14957, 78863, 0),
    "ccks2019/subtask1_training_part1.txt": ("ccks", "ccks2019", 400, 7342, 19),
    "ccks2019/subtask1_training_part2.txt": ("ccks", "ccks2019", 600, 10311, 68),
    "ccks2019/test_half.txt": ("ccks", "ccks2019", 172, 2706, 8),
}


def read(corpora: Path, name: str) -> tuple[Reading, list[Document]]:
    reading = read_documents(corpora / name, labels=load_label_set(FILES[name][1]))
    return reading, list(reading)


def comparable(text: str) -> list[object]:
    """The records of a file with their entities in one order (ours is by place, theirs is not always)."""
    text = text.removeprefix("\ufeff")
    records = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    for record in records:
        record["entities"].sort(key=lambda entity: json.dumps(entity, sort_keys=True))
    return list(records)


@pytest.mark.parametrize("name", FILES)
def test_counts_and_the_way_back(corpora: Path, name: str) -> None:
    """Format, documents, entities and edge white space as counted; a rewrite equals the file but for entity order."""
    format_name, labels, documents, entities, edge_white = FILES[name]
    reading, found = read(corpora, name)
    assert reading.format.name == format_name
    assert (reading.documents, reading.entities, reading.notes[Note.EDGE_WHITE]) == (documents, entities, edge_white)
    assert not reading.dropped_keys
    out = io.StringIO()
    report = write_documents(found, out, format=format_name, labels=load_label_set(labels), layout=reading.layout)
    assert not report.losses
    before = (corpora / name).read_bytes().decode("utf-8")
    assert comparable(out.getvalue()) == comparable(before)
    assert len(out.getvalue()) == len(before)


def test_ccks_training_counts_are_the_published_ones(corpora: Path) -> None:
    """Each type's entities as the task's description gives them; one text stands twice."""
    found = [one for part in (1, 2) for one in read(corpora, f"ccks2019/subtask1_training_part{part}.txt")[1]]
    counts = Counter(entity.label for document in found for entity in document.entities)
    assert counts == {"dis": 4212, "img": 969, "lab": 1195, "ope": 1029, "dru": 1822, "ana": 8426}
    assert len(found) - len({document.text for document in found}) == 1


def test_silver_is_byte_equal_after_a_rewrite(corpora: Path) -> None:
    """Its entities are in our order already, so nothing at all changes."""
    reading, found = read(corpora, "cmeee_v2/train_silver.json")
    out = io.StringIO()
    write_documents(found, out, format="cmeee", layout=reading.layout)
    assert out.getvalue().encode() == (corpora / "cmeee_v2/train_silver.json").read_bytes()


def test_few_entities_cross_a_sentence_end(corpora: Path) -> None:
    """Splitting real records at sentence ends keeps at least 99.5 of 100 entities inside one sentence."""
    for name in ("cmeee_v2/test.json", "ccks2019/test_half.txt"):
        _, found = read(corpora, name)
        torn = 0
        for document in found:
            pieces = [(one.offset, one.offset + len(one.text)) for one in split_sentences(document)]
            torn += sum(not any(a <= one.start and one.end <= b for a, b in pieces) for one in document.entities)
        assert torn <= 0.005 * sum(len(document.entities) for document in found), name
