"""A text that is put together piece by piece, with where each piece stands in its file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from medner.core.characters import is_blank
from medner.core.errors import BadInputError
from medner.core.records import Document, SourcePlace
from medner.store.corpora.reading.format import Reading

#: Code points of a document; a file with more is no document that somebody wrote.
MOST_CHARACTERS = 20_000_000


def whole_document(reading: Reading, read: Callable[[Reading], Document]) -> Iterator[Document]:
    """The document of a file that is one; a file that cannot be read is refused through ``reading``."""
    try:
        try:
            document = read(reading)
        except RecursionError as error:
            raise BadInputError("its elements lie in one another too deep to be read", path=reading.path) from error
    except BadInputError as error:
        reading.refuse(error, "")
    else:
        yield document


class PlacedText:
    """Takes pieces of text in order; :meth:`document` gives the whole."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._pieces: list[str] = []
        self._places: list[SourcePlace] = []
        self.length = 0

    def add(self, text: str, place: SourcePlace | None = None) -> None:
        """Puts a piece behind the others; ``place`` says where it stands, its offsets counted from the piece's start.

        BadInputError where the text gets too long.
        """
        if not text:
            return
        if place is not None:
            self._add_place(place.shifted(self.length))
        self._pieces.append(text)
        self.length += len(text)
        if self.length > MOST_CHARACTERS:
            raise BadInputError(f"more than {MOST_CHARACTERS:,} characters of text; cut the file", path=self._path)

    def break_line(self) -> None:
        """Ends a line where one has begun."""
        if self._pieces and not self._pieces[-1].endswith("\n"):
            self.add("\n")

    def document(self, name: str) -> Document:
        """The document. BadInputError where nothing but white space was read."""
        text = "".join(self._pieces).rstrip("\n\t")
        if is_blank(text):
            raise BadInputError("the document holds no text", path=self._path)
        places = [replace(one, end=min(one.end, len(text))) for one in self._places if one.start < len(text)]
        return Document(name, text, (), (), tuple(places))

    @property
    def _path(self) -> str:
        return str(self._reading.path)

    def _add_place(self, place: SourcePlace) -> None:
        last = self._places[-1] if self._places else None
        if last is not None and last.end == place.start and place.box is None and last.box is None:
            alike = replace(place, start=last.start)
            if replace(last, end=place.end) == alike:
                self._places[-1] = alike
                return
        self._places.append(place)
