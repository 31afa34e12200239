"""A run reads, splits and loads once what it annotates, and does nothing that nobody asks for."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import medner
from medner.core import labels, sentences
from medner.core.files import hashing
from medner.core.records import Document
from medner.service.annotate.counts import RunCounts
from medner.service.annotate.documents import Annotating
from medner.service.config import fingerprint
from medner.service.inputs.annotation_inputs import Inputs
from medner.service.inputs.source_names import InputFile
from medner.service.inputs.splitting import Splitting
from medner.store.corpora import read as reading
from medner.testing import TAGGERS, DictionaryEngine

TEXT = "".join(f"第{number}天胸痛。" for number in range(128))
WATCHED: dict[str, Callable[..., Any]] = {
    "reads": reading.read_documents,
    "splits": sentences.split_sentences,
    "label sets": labels.parse_label_set,
    "hashes": hashing.sha256_of,
    "fingerprints": fingerprint.fingerprint,
    "temporary folders": tempfile.mkdtemp,
}


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """How often each watched function is called in the block, in whatever thread."""
    names = {one.__code__: name for name, one in WATCHED.items()}
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in names:
            calls[names[frame.f_code]] += 1

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def test_a_text_of_the_command(kit: Any) -> None:
    """One split, one label set; no file, no hash, however many sentences it has."""
    with counted() as calls:
        assert kit.run("--text", TEXT).exit_code == 0
    assert calls == {"splits": 1, "label sets": 1}
    assert len(kit.asked) == 2 * 128


def test_files_of_the_command(kit: Any, tmp_path: Path) -> None:
    """Each file is read once and split once, though all are looked at before the work begins."""
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(TEXT, encoding="utf-8")
    with counted() as calls:
        assert kit.run(tmp_path).exit_code == 0
    assert calls == {"reads": 3, "splits": 3, "label sets": 1, "temporary folders": 1}


def test_what_is_kept_is_hashed(kit: Any, tmp_path: Path) -> None:
    """A journal needs the inputs' hashes and the configuration's, each once."""
    (tmp_path / "note.txt").write_text(TEXT, encoding="utf-8")
    with counted() as calls:
        assert kit.run(tmp_path / "note.txt", "-o", tmp_path / "out.jsonl").exit_code == 0
    assert (calls["reads"], calls["splits"], calls["label sets"]) == (1, 1, 1)
    assert (calls["hashes"], calls["fingerprints"]) == (1, 1)


@pytest.mark.parametrize(("hold", "reads"), [(10, 2), (1_000, 1)])
def test_inputs_that_are_too_large_to_hold(hold: int, reads: int, tmp_path: Path) -> None:
    """Are read a second time rather than kept in memory; the documents are the same."""
    path = tmp_path / "notes.jsonl"
    path.write_text("".join(f'{{"id": "{number}", "text": "胸痛。"}}\n' for number in range(20)), encoding="utf-8")
    with counted() as calls:
        inputs = Inputs([InputFile(path, "notes")])
        assert inputs.survey(Splitting(256), hold=hold).documents == 20
        documents = list(inputs.split_documents(Splitting(256)))
    assert (calls["reads"], calls["splits"]) == (reads, 20 * reads)
    assert [one.document.id for one in documents] == [str(number) for number in range(20)]
    assert all(len(one.sentences) == 1 for one in documents)


def test_a_text_from_python() -> None:
    """The models' label set is loaded with them; a text is split once and nothing else."""
    engine = DictionaryEngine({"胸痛": "sym"})
    with counted() as calls, medner.load(engine=engine, taggers=TAGGERS, judge="hard-vote") as nlp:
        loading = Counter(calls)
        document = nlp.annotate(TEXT)
        assert calls - loading == {"splits": 1}
    assert len(document.entities) == 128
    assert loading == {"label sets": 1}


@pytest.mark.parametrize("concurrency", [16, 128])
def test_span_taggers_of_a_long_document(concurrency: int) -> None:
    """A document of 128 sentences is 128 passes a tagger and one split, however many are under way at once."""
    pytest.importorskip("torch")
    from medner.agents.filters import SpanFilter
    from medner.agents.judges.judge import FilterScore
    from medner.graph import Deps, Pipeline
    from tests.agents.letters import asked_of
    from tests.graph.test_passes import LABELS, tagger

    taggers = (tagger("a", 1, 0), tagger("b", 2, 0))
    pipeline = Pipeline(Deps(LABELS, taggers, FilterScore(0.5), SpanFilter(taggers)), concurrency=concurrency)
    found: list[Any] = []
    with counted() as calls:
        documents = map(Splitting(256).split, [Document("d", "".join(f"发热{n}天伴咳嗽。" for n in range(128)))])
        asyncio.run(Annotating(pipeline, RunCounts(128)).run(documents, found.append))
    assert calls["splits"] == 1
    assert [len(asked_of(one)) for one in taggers] == [128, 128]
    assert len(found[0].annotations) == 128
