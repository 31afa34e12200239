"""Word documents: their text in the order of reading, with paragraph, cell, footnote and page."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.core.errors import BadInputError
from medner.store.corpora.reading.notes import Note
from tests.store.corpora.document_formats.document_kit import (
    CHIEF_COMPLAINT,
    add_xml,
    place_at,
    reading_of,
    with_part,
    word_file,
)


def test_paragraphs_are_lines_and_rows_of_tables_too(tmp_path: Path) -> None:
    """The text is what a reader sees; the header is left out, and counted."""
    document, reading = reading_of(word_file(tmp_path / "入院记录.docx"))
    assert reading.format.name == "docx"
    assert document.id == "入院记录"
    assert document.text == (
        f"入院记录\n{CHIEF_COMPLAINT}\n现病史：患者咳嗽，伴发热。\t口服阿司匹林。\n项目\t结果\t单位\n血红蛋白\t98\tg/L"
    )
    assert +reading.notes == {Note.HEADERS: 1}


def test_places_name_paragraph_and_cell(tmp_path: Path) -> None:
    """Paragraphs count as Word counts them, empty ones too; cells are named by row and column."""
    document, _ = reading_of(word_file(tmp_path / "a.docx"))
    [paragraph] = place_at(document, "咳嗽，伴发热")
    assert (paragraph.paragraph, paragraph.part, paragraph.page) == (4, "", None)
    [cell] = place_at(document, "血红蛋白")
    assert (cell.paragraph, cell.part) == (1, "table 1, row 2, column 1")


def test_what_other_libraries_pass_over_is_read(tmp_path: Path) -> None:
    """Content controls, insertions, links and text boxes are text; deletions, fields and hidden runs are not."""

    def change(written: object) -> None:
        add_xml(
            written,
            "<w:sdt><w:sdtPr><w:alias w:val='x'/></w:sdtPr><w:sdtContent><w:p><w:r><w:t>既往史：</w:t></w:r>"
            "<w:ins><w:r><w:t>高血压</w:t></w:r></w:ins><w:del><w:r><w:delText>糖尿病</w:delText></w:r></w:del>"
            "<w:r><w:instrText>PAGE</w:instrText></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>隐</w:t></w:r>"
            "<w:hyperlink><w:r><w:t>十年</w:t><w:noBreakHyphen/><w:t>余</w:t></w:r></w:hyperlink></w:p>"
            "</w:sdtContent></w:sdt>",
        )
        add_xml(
            written,
            "<w:p><w:r><w:t>体格检查</w:t></w:r><w:r><w:pict><w:textbox><w:txbxContent><w:p><w:r><w:t>右肺湿啰音</w:t>"
            "</w:r></w:p></w:txbxContent></w:textbox></w:pict></w:r></w:p>",
        )

    document, reading = reading_of(word_file(tmp_path / "a.docx", change=change))
    assert document.text.splitlines()[-3:] == ["既往史：高血压十年-余", "体格检查", "右肺湿啰音"]
    assert place_at(document, "湿啰音")[0].part == "text box"
    assert (reading.notes[Note.DELETED], reading.notes[Note.HIDDEN]) == (1, 1)


def test_pages_are_those_that_the_program_noted(tmp_path: Path) -> None:
    """A paragraph that goes on over a page has a place on both."""

    def change(written: object) -> None:
        add_xml(
            written,
            "<w:p><w:r><w:t>心前区</w:t></w:r><w:r><w:lastRenderedPageBreak/><w:t>疼痛</w:t></w:r></w:p>",
        )

    document, _ = reading_of(word_file(tmp_path / "a.docx", change=change))
    assert [place.page for place in place_at(document, "心前区疼痛")] == [1, 2]
    assert place_at(document, "主诉")[0].page == 1


def test_footnotes_stand_behind_the_text(tmp_path: Path) -> None:
    """A footnote is named by its number; footnotes that nothing refers to, separators, are no text."""

    def change(written: object) -> None:
        add_xml(written, "<w:p><w:r><w:t>诊断：肺炎</w:t><w:footnoteReference w:id='5'/></w:r></w:p>")

    path = word_file(tmp_path / "a.docx", change=change)
    with_part(
        path,
        "word/footnotes.xml",
        '<w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:footnote w:id='0'><w:p><w:r><w:t>separator</w:t></w:r></w:p></w:footnote>"
        "<w:footnote w:id='5'><w:p><w:r><w:t>社区获得性</w:t></w:r></w:p></w:footnote></w:footnotes>",
    )
    document, _ = reading_of(path)
    assert document.text.endswith("诊断：肺炎\n社区获得性")
    assert place_at(document, "社区获得性")[0].part == "footnote 1"


def test_a_cell_with_several_paragraphs_keeps_them(tmp_path: Path) -> None:
    """Forms put whole histories into cells: their paragraphs are lines, not one."""

    def change(written: object) -> None:
        cell = written.tables[0].cell(1, 1)  # type: ignore[attr-defined]
        cell.add_paragraph("复查 102")

    document, _ = reading_of(word_file(tmp_path / "a.docx", change=change))
    assert document.text.endswith("项目\t结果\t单位\n血红蛋白\n98\n复查 102\ng/L")
    assert place_at(document, "复查")[0].paragraph == 2


def test_pictures_alone_need_text_recognition(tmp_path: Path) -> None:
    """A scan that was put into Word says so."""

    def change(written: object) -> None:
        body = written.element.body  # type: ignore[attr-defined]
        for block in list(body)[:-1]:
            body.remove(block)
        add_xml(written, "<w:p><w:r><w:pict><w:imagedata/></w:pict></w:r></w:p>")

    with pytest.raises(BadInputError, match="pictures and no text: it needs OCR"):
        reading_of(word_file(tmp_path / "a.docx", change=change))
