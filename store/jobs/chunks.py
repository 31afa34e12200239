"""A job's documents, cut into chunks that are worked on one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import TypeAdapter

from medner.core.records import (
    AnnotatedDocument,
    Annotation,
    Document,
    Entity,
    KeptValue,
    Sentence,
    SourcePlace,
    places_of,
)
from medner.core.sentences import split_sentences

#: A document with more sentences than this many chunks' worth is cut into pieces.
_LONGEST_CHUNKS = 16


@dataclass(frozen=True, slots=True)
class Piece:
    """A document, or one piece of a long one: its part of the text, and where its sentences stand.

    ``start`` is where ``text`` begins in the document, ``places`` are (offset in the document, length). ``number``
    is the number of its first sentence; ``last``: no piece of the document follows. ``kept`` are the columns that go
    along to the result; ``source_places`` say where ``text`` stands in its file, in offsets of the document.
    """

    document: str
    text: str
    places: tuple[tuple[int, int], ...]
    start: int = 0
    number: int = 0
    last: bool = True
    given: tuple[Entity, ...] = ()
    kept: tuple[tuple[str, KeptValue], ...] = ()
    source_places: tuple[SourcePlace, ...] = ()

    def sentences(self) -> list[Sentence]:
        """Its sentences, with their ids and offsets in the whole document."""
        return [
            Sentence(
                f"{self.document}#{self.number + at}",
                self.text[offset - self.start : offset - self.start + length],
                offset,
                self.document,
            )
            for at, (offset, length) in enumerate(self.places)
        ]

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole document."""
        return self.start == 0 and self.last


Chunk = tuple[Piece, ...]
_CHUNK = TypeAdapter(Chunk)


def dump_chunk(chunk: Chunk) -> bytes:
    """The chunk as JSON."""
    return _CHUNK.dump_json(chunk)


def load_chunk(data: bytes) -> Chunk:
    """The chunk of :func:`dump_chunk`."""
    return _CHUNK.validate_json(data)


def sentences_of(chunk: Chunk) -> list[Sentence]:
    """All sentences of a chunk, in order; their places in this list are their indices."""
    return [sentence for piece in chunk for sentence in piece.sentences()]


def chunks_of(documents: Iterable[Document], *, size: int, max_chars: int, join_lines: bool = False) -> Iterator[Chunk]:
    """Chunks of whole documents with about ``size`` sentences; very long documents are cut into pieces.

    Holds one chunk and one document at a time.
    """
    gathered: list[Piece] = []
    sentences = 0
    for document in documents:
        sentences_there = split_sentences(document, max_chars=max_chars, join_lines=join_lines)
        for piece in _pieces(document, sentences_there, size * _LONGEST_CHUNKS):
            if gathered and sentences + len(piece.places) > size:
                yield tuple(gathered)
                gathered, sentences = [], 0
            gathered.append(piece)
            sentences += len(piece.places)
    if gathered:
        yield tuple(gathered)


def _pieces(document: Document, sentences: tuple[Sentence, ...], most: int) -> Iterator[Piece]:
    places = tuple((sentence.offset, len(sentence.text)) for sentence in sentences)
    if len(places) <= most:
        yield Piece(
            document.id,
            document.text,
            places,
            given=document.entities,
            kept=document.kept,
            source_places=document.places,
        )
        return
    begins = range(0, len(places), most)
    for begin in begins:
        start = places[begin][0] if begin else 0
        last = begin + most >= len(places)
        end = len(document.text) if last else places[begin + most][0]
        yield Piece(
            document.id,
            document.text[start:end],
            places[begin : begin + most],
            start,
            begin,
            last,
            () if begin else document.entities,
            document.kept,
            places_of(document.places, start, end),
        )


def joined(pieces: Iterable[tuple[Piece, tuple[Annotation, ...]]]) -> Iterator[AnnotatedDocument]:
    """Whole documents out of pieces with their annotations, which must come in order."""
    texts: list[str] = []
    annotations: list[Annotation] = []
    source_places: list[SourcePlace] = []
    given: tuple[Entity, ...] = ()
    for piece, found in pieces:
        if piece.start == 0:
            texts, annotations, source_places, given = [], [], [], piece.given
        texts.append(piece.text)
        annotations.extend(found)
        source_places.extend(piece.source_places)
        if piece.last:
            document = Document(piece.document, "".join(texts), given, piece.kept, tuple(source_places))
            yield AnnotatedDocument(document, tuple(annotations))
