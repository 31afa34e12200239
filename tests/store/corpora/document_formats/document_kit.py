"""Documents as hospitals have them, made by the libraries that people use: Word, PDF, CDA."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import docx
from docx.oxml import parse_xml
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Table

from medner.core.records import Document, SourcePlace
from medner.store.corpora import Reading, read_documents

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
FONT = "STSong-Light"
PRESENT_ILLNESS = (
    "现病史：患者3天前无明显诱因出现胸骨后压榨样疼痛，每次持续约5～10分钟，休息后可缓解，伴大汗、恶心，无呕吐。"
    "1天前上述症状加重，夜间不能平卧，口服阿司匹林100mg qd及硝酸甘油后无明显好转，遂来我院急诊。"
)
CHIEF_COMPLAINT = "主诉：反复胸痛3天，加重伴呼吸困难1天。"


def reading_of(path: Path) -> tuple[Document, Reading]:
    """The one document of a file, and its reading, which has ended."""
    reading = read_documents(path)
    [document] = list(reading)
    return document, reading


def place_at(document: Document, words: str) -> tuple[SourcePlace, ...]:
    """Where some words stand."""
    from medner.core.records import places_of

    start = document.text.index(words)
    return places_of(document.places, start, start + len(words))


def word_file(path: Path, *, change: Callable[[Any], None] = lambda _: None) -> Path:
    """A Word document: a heading, two paragraphs with an empty one between, a table, a header."""
    written = docx.Document()
    written.add_heading("入院记录")
    written.add_paragraph(CHIEF_COMPLAINT)
    written.add_paragraph("")
    paragraph = written.add_paragraph("现病史：患者")
    paragraph.add_run("咳嗽").bold = True
    paragraph.add_run("，伴发热。\t口服阿司匹林。")
    table = written.add_table(2, 3)
    for number, row in enumerate((("项目", "结果", "单位"), ("血红蛋白", "98", "g/L"))):
        for column, text in enumerate(row):
            table.cell(number, column).text = text
    written.sections[0].header.paragraphs[0].text = "某某医院"
    change(written)
    written.save(str(path))
    return path


def add_xml(written: Any, body: str) -> None:
    """Adds a block to a Word document, given as WordprocessingML with the prefix w."""
    written.element.body.insert(len(written.element.body) - 1, parse_xml(body.replace(">", f" {W}>", 1)))


def with_part(path: Path, name: str, content: str, *, replace: bool = False) -> Path:
    """The file with a further part, or with another content of one."""
    whole = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(whole) as before, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as after:
        for part in before.namelist():
            if part != name:
                after.writestr(part, before.read(part))
            else:
                assert replace
        after.writestr(name, content)
    return path


def pdf_file(path: Path, pages: Sequence[Iterable[object]], *, furniture: bool = False, **settings: Any) -> Path:
    """A PDF whose pages hold paragraphs (strings) and tables (lists of rows). ``furniture``: headers, page numbers."""
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    style = ParagraphStyle("body", fontName=FONT, fontSize=11, leading=16, wordWrap="CJK", firstLineIndent=22)
    story: list[Any] = []
    for number, page in enumerate(pages):
        if number:
            story.append(PageBreak())
        for block in page:
            if isinstance(block, str):
                story.append(Paragraph(block, style))
            else:
                story.append(Table(block, colWidths=120, style=[("FONT", (0, 0), (-1, -1), FONT, 10)]))

    def draw(canvas: Any, _: Any) -> None:
        if furniture:
            canvas.setFont(FONT, 9)
            canvas.drawString(72, 810, "某某医院 住院病历 姓名：张某")
            canvas.drawString(280, 30, f"第 {canvas.getPageNumber()} 页")

    SimpleDocTemplate(str(path), **settings).build(story, onFirstPage=draw, onLaterPages=draw)
    return path


def cda(sections: str, *, before: str = '<?xml version="1.0" encoding="UTF-8"?>') -> str:
    """A CDA document with these components."""
    return (
        f'{before}<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        "<title>入院记录</title><recordTarget><patientRole><patient><name>张某</name></patient></patientRole>"
        f"</recordTarget><component><structuredBody>{sections}</structuredBody></component></ClinicalDocument>"
    )
