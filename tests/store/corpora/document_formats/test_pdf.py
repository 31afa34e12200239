"""PDF files with text: paragraphs across lines and pages, rectangles, and what is no text."""

from __future__ import annotations

import re
from pathlib import Path

import pypdfium2
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen import canvas

from medner.core.errors import BadInputError
from medner.store.corpora.document_formats.radicals import character_of
from medner.store.corpora.reading.notes import Note
from tests.store.corpora.document_formats.document_kit import (
    CHIEF_COMPLAINT,
    PRESENT_ILLNESS,
    pdf_file,
    place_at,
    reading_of,
)

DIAGNOSIS = "诊断：急性前壁心肌梗死；高血压病3级（很高危）。"


def test_lines_of_a_paragraph_are_put_together(tmp_path: Path) -> None:
    """The text is that which was typed: breaks that the width of the page made are gone, others stay."""
    path = pdf_file(tmp_path / "出院记录.pdf", [[CHIEF_COMPLAINT, PRESENT_ILLNESS], [DIAGNOSIS]])
    document, reading = reading_of(path)
    assert (reading.format.name, document.id) == ("pdf", "出院记录")
    assert document.text == f"{CHIEF_COMPLAINT}\n{PRESENT_ILLNESS}\n{DIAGNOSIS}"
    assert [place.page for place in place_at(document, "急性前壁心肌梗死")] == [2]
    assert [(place.page, place.paragraph) for place in place_at(document, "硝酸甘油")] == [(1, 2)]


def test_a_place_has_the_rectangle_of_its_characters(tmp_path: Path) -> None:
    """PDFium finds the words again in the rectangle, and nothing of their neighbours."""
    path = pdf_file(tmp_path / "a.pdf", [[CHIEF_COMPLAINT, PRESENT_ILLNESS]])
    document, _ = reading_of(path)
    pdf = pypdfium2.PdfDocument(path)
    for words in ("胸骨后", "100mg", "呼吸困难", "急诊"):
        [place] = place_at(document, words)
        assert place.box is not None
        left, bottom, right, top = place.box
        found = pdf[0].get_textpage().get_text_bounded(left + 1, bottom, right - 1, top)
        assert found.strip() == words
    # It begins in one line and goes on in the next.
    [first, second] = place_at(document, "休息后可缓解")
    assert first.box is not None
    assert second.box is not None
    assert first.box[1] > second.box[1]
    pdf.close()


def test_headers_and_page_numbers_are_left_out_and_counted(tmp_path: Path) -> None:
    """What stands at the edge of each page is no text of the note, so paragraphs go on over it."""
    long = PRESENT_ILLNESS.removeprefix("现病史：") * 24
    path = pdf_file(tmp_path / "a.pdf", [[long]], furniture=True)
    document, reading = reading_of(path)
    assert {place.page for place in document.places} == {1, 2}
    assert document.text == long
    assert reading.notes[Note.PAGE_FURNITURE] == 4


def test_rows_of_a_table_stay_apart(tmp_path: Path) -> None:
    """A row is a line, its cells parted by tabs."""
    rows = [["项目", "结果", "单位"], ["血红蛋白", "98", "g/L"], ["肌钙蛋白I", "2.3", "ng/mL"]]
    document, _ = reading_of(pdf_file(tmp_path / "a.pdf", [[DIAGNOSIS, rows]]))
    assert document.text.splitlines()[1:] == ["\t".join(row) for row in rows]


def test_a_scan_says_which_pages_need_text_recognition(tmp_path: Path) -> None:
    """Pages that only show something are named; a blank page is not; text beside a scan is read, with a note."""
    path = tmp_path / "scan.pdf"
    drawn = canvas.Canvas(str(path))
    for number in range(3):
        if number != 1:
            drawn.rect(100, 100, 300, 300, fill=1)
        drawn.showPage()
    drawn.save()
    with pytest.raises(BadInputError, match=r"no text, only pictures, on pages 1, 3: a scan needs OCR"):
        reading_of(path)
    drawn = canvas.Canvas(str(path))
    drawn.drawString(72, 700, "Pneumonia of the right lower lobe")
    drawn.showPage()
    drawn.rect(100, 100, 300, 300, fill=1)
    drawn.showPage()
    drawn.save()
    document, reading = reading_of(path)
    assert document.text == "Pneumonia of the right lower lobe"
    assert reading.notes[Note.PICTURE_PAGES] == 1


def test_a_password_is_asked_for(tmp_path: Path) -> None:
    """An encrypted file says so; one that only restricts printing is read."""
    locked = pdf_file(tmp_path / "a.pdf", [[DIAGNOSIS]], encrypt=StandardEncryption("secret"))
    with pytest.raises(BadInputError, match="encrypted and needs a password"):
        reading_of(locked)
    restricted = pdf_file(tmp_path / "b.pdf", [[DIAGNOSIS]], encrypt=StandardEncryption("", "owner", canPrint=0))
    assert reading_of(restricted)[0].text == DIAGNOSIS


def test_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    """PDFium would read the pages that are left; medner says that some may be missing."""
    path = pdf_file(tmp_path / "a.pdf", [[DIAGNOSIS], [CHIEF_COMPLAINT]])
    data = path.read_bytes()
    for part in (2, 3):
        path.write_bytes(data[: len(data) * (part - 1) // part])
        with pytest.raises(BadInputError, match="the PDF is cut off"):
            reading_of(path)
    path.write_bytes(b"%PDF-1.7\n" + bytes(100) + b"%%EOF")
    with pytest.raises(BadInputError, match="damaged"):
        reading_of(path)


def test_words_of_other_scripts_are_parted_where_a_line_ended(tmp_path: Path) -> None:
    """A line break between words in Latin letters is a space, one between Chinese characters nothing."""
    english = "The patient was given aspirin and nitroglycerin without relief and came to our hospital. " * 3
    document, _ = reading_of(pdf_file(tmp_path / "a.pdf", [[english + "患者"]]))
    assert re.sub(r"\s+", " ", document.text) == document.text
    assert "aspirin and nitroglycerin" in document.text


def test_radicals_become_characters() -> None:
    """Fonts of some programs name ⾼ (U+2FBC) where 高 is meant; other characters stay."""
    assert [character_of(char) for char in "⾼⻅⻓高A，"] == list("高见长高A，")
