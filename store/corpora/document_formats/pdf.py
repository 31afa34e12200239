"""PDF files with text: paragraphs with page and rectangle, by PDFium. Nothing is recognised in pictures."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from medner.core.errors import BadInputError
from medner.core.records import Document, SourcePlace
from medner.store.corpora.document_formats.extra import library
from medner.store.corpora.document_formats.pdf_lines import HYPHEN, PageCounts, PdfLine, lines_of
from medner.store.corpora.document_formats.pdf_paragraphs import paragraphs_of, without_furniture
from medner.store.corpora.document_formats.placed_text import MOST_CHARACTERS, PlacedText, whole_document
from medner.store.corpora.reading.filenames import document_id
from medner.store.corpora.reading.format import Format, Reading
from medner.store.corpora.reading.notes import Note

SUFFIXES = (".pdf",)
_MOST_PAGES = 5_000
_MOST_BYTES = 1 << 30
#: The mark of the end lies in the last bytes of a whole file.
_END, _END_BYTES = b"%%EOF", 2_048
#: A page of which more characters than this part have no Unicode is no text.
_MOST_UNMAPPED = 0.2
_MOST_NAMED = 8
#: PDFium is not made for several threads.
_PDFIUM = threading.Lock()
_PASSWORD = 4


def _read(reading: Reading) -> Document:
    _refuse_cut_off(reading.path)
    with _PDFIUM, _opened(reading.path) as pdf:
        return _document(reading, pdf)


def _refuse_cut_off(path: Path) -> None:
    """BadInputError where the end is missing: PDFium would give the pages that are left, and say nothing."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _END_BYTES))
            end = file.read()
    except OSError as error:
        raise BadInputError(f"cannot be read: {error.strerror}", path=path) from error
    if size > _MOST_BYTES:
        raise BadInputError(f"larger than {_MOST_BYTES >> 20:,} MB; cut it", path=path)
    if _END not in end:
        raise BadInputError(
            "the PDF is cut off: its end is missing; copy it again, or open it in a PDF reader and save it", path=path
        )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    pdfium = library("pypdfium2", "PDF files")
    try:
        pdf = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD:
            raise BadInputError(
                "the PDF is encrypted and needs a password: save it without one (qpdf --decrypt --password=X OLD NEW)",
                path=path,
            ) from error
        raise BadInputError(f"cannot be read as a PDF, it is damaged: {error}", path=path) from error
    try:
        yield pdf
    finally:
        pdf.close()


def _document(reading: Reading, pdf: Any) -> Document:
    pages, heights, pictures = _lines(reading, pdf)
    kept, removed = without_furniture(pages, heights)
    reading.notes[Note.PAGE_FURNITURE] += removed
    if pictures and any(kept):
        reading.notes[Note.PICTURE_PAGES] += len(pictures)
        reading.tell(f"pages without text, only pictures, which need OCR: {_listed(pictures)}")
    if not any(kept):
        raise _without_text(reading.path, pictures, len(pages))
    text = PlacedText(reading)
    page = number = 0
    for paragraph in paragraphs_of(kept):
        number = number + 1 if paragraph[0].page == page else 1
        page = paragraph[0].page
        _add_paragraph(text, paragraph, number)
    return text.document(document_id(reading.path, None))


def _lines(reading: Reading, pdf: Any) -> tuple[list[list[PdfLine]], list[float], list[int]]:
    """The lines and the height of each page, and the pages that hold pictures and no text."""
    if len(pdf) > _MOST_PAGES:
        raise BadInputError(f"{len(pdf):,} pages; at most {_MOST_PAGES:,} are read: cut the file", path=reading.path)
    pages, heights, pictures = [], [], []
    characters = 0
    for number in range(1, len(pdf) + 1):
        page = _page(pdf, number, reading.path)
        counts = PageCounts()
        text_page = page.get_textpage()
        lines = lines_of(number, text_page, counts)
        text_page.close()
        if counts.unmapped > _MOST_UNMAPPED * counts.characters:
            raise BadInputError(
                f"page {number}: the fonts do not say which characters {counts.unmapped:,} of {counts.characters:,} "
                "are, so a program sees no text; it needs OCR (text recognition), or printing anew from its source",
                path=reading.path,
            )
        reading.notes[Note.UNMAPPED] += counts.unmapped
        reading.notes[Note.RADICALS] += counts.radicals
        characters += counts.characters
        if characters > MOST_CHARACTERS:
            raise BadInputError(f"more than {MOST_CHARACTERS:,} characters of text; cut the file", path=reading.path)
        if not lines and _has_pictures(page):
            pictures.append(number)
        pages.append(lines)
        heights.append(page.get_height())
        page.close()
    return pages, heights, pictures


def _page(pdf: Any, number: int, path: Path) -> Any:
    try:
        return pdf[number - 1]
    except Exception as error:
        raise BadInputError(f"page {number} cannot be read, the PDF is damaged: {error}", path=path) from error


def _has_pictures(page: Any) -> bool:
    """Whether a page shows anything: a picture, or letters that are drawn as shapes."""
    return next(iter(page.get_objects(max_depth=3)), None) is not None


def _without_text(path: Path, pictures: Sequence[int], pages: int) -> BadInputError:
    if not pictures:
        return BadInputError("the PDF holds no text" if pages else "the PDF has no page", path=path)
    return BadInputError(
        f"no text, only pictures, on {_listed(pictures)}: a scan needs OCR (text recognition) first, with another "
        "program (ocrmypdf -l chi_sim OLD NEW)",
        path=path,
    )


def _listed(pages: Sequence[int]) -> str:
    more = len(pages) - _MOST_NAMED
    names = ", ".join(map(str, pages[:_MOST_NAMED])) + (f" and {more:,} more" if more > 0 else "")
    return f"{'page' if len(pages) == 1 else 'pages'} {names}"


def _add_paragraph(text: PlacedText, lines: Sequence[PdfLine], number: int) -> None:
    """Adds a line for the paragraph, each line of the page a place in it."""
    text.break_line()
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        shown = line.text
        goes_on = following is not None and shown.endswith(HYPHEN)
        if goes_on:
            shown = shown[:-1]
        box, edges = tuple(round(side, 1) for side in line.box), line.edges[: len(shown)]
        place = SourcePlace(0, len(shown), line.page, number, "", (box[0], box[1], box[2], box[3]), edges)
        text.add(shown.replace(HYPHEN, "-"), place)
        if following is not None and not goes_on and _is_ascii(shown[-1]) and _is_ascii(following.text[0]):
            text.add(" ")


def _is_ascii(char: str) -> bool:
    """Whether a character is one of a word that needs a space to the next."""
    return char.isascii() and char.isprintable()


FORMAT = Format("pdf", "a PDF with text", partial(whole_document, read=_read))
