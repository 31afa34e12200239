"""Documents as chunks, and back."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from medner.core.records import AnnotatedEntity, Annotation, Decision, Document, Entity, Sentence
from medner.core.sentences import split_sentences
from medner.store.jobs.chunks import chunks_of, dump_chunk, joined, load_chunk, sentences_of
from medner.store.jobs.payload import pack, unpack
from medner.store.jobs.result_files import JsonLinesPart, ParquetPart, documents_of, pieces_of

texts = st.lists(
    st.sampled_from(["患者咳嗽。", "胸痛3天，", "体温38.9℃。\n", " 　", "😷。", "“好转？”", "\r\n", "查CT："]),
    max_size=40,
).map("".join)
notes = st.lists(texts, max_size=5).map(
    lambda found: [
        Document(f"病历 {number}", text, (), (("科室", "内科"), ("年龄", 45))) for number, text in enumerate(found)
    ]
)


def _annotation(sentence: Sentence) -> Annotation:
    entity = AnnotatedEntity(Entity(0, 1, "sym"), Decision.AGREED, ("甲",), 0.5)
    return Annotation(sentence, (entity,))


@given(notes, st.integers(1, 6))
def test_chunks_hold_every_sentence_once(documents: list[Document], size: int) -> None:
    """The sentences of all chunks are those of the documents, ids and offsets included."""
    chunks = [load_chunk(dump_chunk(chunk)) for chunk in chunks_of(documents, size=size, max_chars=8)]
    held = [sentence for chunk in chunks for sentence in sentences_of(chunk)]
    assert held == [sentence for one in documents for sentence in split_sentences(one, max_chars=8)]


@given(notes, st.integers(1, 6))
def test_chunks_are_small_and_documents_whole(documents: list[Document], size: int) -> None:
    """A chunk has at most the sentences asked for, or one document, of which sixteen times as many at most."""
    for chunk in chunks_of(documents, size=size, max_chars=8):
        count = len(sentences_of(chunk))
        assert count <= size or (len(chunk) == 1 and count <= 16 * size)


@given(notes, st.integers(1, 2))
def test_documents_come_back_whole(documents: list[Document], size: int) -> None:
    """Long documents that were cut are one again, with their text to the last blank."""
    pieces = [
        (piece, tuple(_annotation(sentence) for sentence in piece.sentences()))
        for chunk in chunks_of(documents, size=size, max_chars=8)
        for piece in chunk
    ]
    back = list(joined(pieces))
    assert [one.document for one in back] == documents
    assert all(
        one.document.text.startswith(item.sentence.text, item.sentence.offset)
        for one in back
        for item in one.annotations
    )


@given(notes, st.integers(1, 2), st.sampled_from([JsonLinesPart(), ParquetPart()]))
def test_part_files_give_back_what_they_were_given(
    documents: list[Document], size: int, form: JsonLinesPart | ParquetPart
) -> None:
    """Pieces and their annotations survive a file, in both forms."""
    import io

    for chunk in chunks_of(documents, size=size, max_chars=8):
        results = tuple(_annotation(sentence) for sentence in sentences_of(chunk))
        file = io.BytesIO()
        written = documents_of(chunk, results)
        form.write(written, file)
        read = list(form.read(io.BytesIO(file.getvalue())))
        assert read == written
        cut = {row: piece for row, piece in enumerate(chunk) if not piece.is_whole}
        back = list(pieces_of(read, cut))
        assert [piece for piece, _ in back] == list(chunk)
        assert [item for _, found in back for item in found] == list(results)


def test_reading_holds_one_chunk_at_a_time() -> None:
    """Documents are taken only when a chunk needs them, so that a million take no more memory than ten."""
    taken = 0

    def endless() -> Iterator[Document]:
        nonlocal taken
        while True:
            taken += 1
            yield Document(str(taken), "咳嗽。发热。")

    chunks = chunks_of(endless(), size=8, max_chars=256)
    for _ in range(3):
        next(chunks)
    assert taken <= 3 * 4 + 1


def test_results_survive_packing() -> None:
    """Results of a chunk in one value, with a gap."""
    sentence = Sentence("a#0", "咳嗽😷。", 0, "a")
    assert unpack(pack([None, _annotation(sentence)])) == (None, _annotation(sentence))
