"""Where a document's text stands in its file goes through a job: into chunks, result files and back."""

from __future__ import annotations

import io

import pytest

from medner.core.choices import PartFormat
from medner.core.records import AnnotatedDocument, Annotation, Document, SourcePlace
from medner.core.sentences import split_sentences
from medner.store.jobs.chunks import chunks_of, dump_chunk, joined, load_chunk, sentences_of
from medner.store.jobs.result_files import documents_of, part_file, pieces_of


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("count", [3, 90])
def test_places_come_back_from_a_job(form: PartFormat, count: int) -> None:
    """Of a whole document and of one that is cut into pieces, whose places are cut at the cuts."""
    text = "患者胸痛。" * count
    places = tuple(
        SourcePlace(at, at + 5, 1, 1 + at // 5, "", (0.0, 0.0, 50.0, 10.0), (10.0, 20.0, 30.0, 40.0, 50.0))
        for at in range(0, len(text), 5)
    )
    document = Document("a", text, (), (("科室", "心内科"),), places)
    out: list[tuple] = []  # type: ignore[type-arg]
    for chunk in chunks_of([document], size=2, max_chars=100):
        again = load_chunk(dump_chunk(chunk))
        assert again == chunk
        results = tuple(Annotation(sentence) for sentence in sentences_of(again))
        file = io.BytesIO()
        part_file(form).write(documents_of(again, results), file)
        file.seek(0)
        cut = {row: piece for row, piece in enumerate(again) if not piece.is_whole}
        out += pieces_of(list(part_file(form).read(file)), cut)
    [back] = joined(out)
    assert isinstance(back, AnnotatedDocument)
    assert back.document == document
    assert len(back.annotations) == len(split_sentences(document, max_chars=100))
