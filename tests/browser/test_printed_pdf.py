"""A note that Chromium printed to PDF is read as it was written."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from medner.core.records import places_of
from medner.store.corpora import read_documents

PRESENT = (
    "现病史：患者3天前无明显诱因出现胸骨后压榨样疼痛，每次持续约5～10分钟，休息后可缓解，伴大汗、恶心，无呕吐。1天前上述症状加重，"
    "夜间不能平卧，口服阿司匹林100mg qd及硝酸甘油后无明显好转，遂来我院急诊。见长方言页龙骨门风，𠮷某。"
)
LINES = ("入院记录", "主诉：反复胸痛3天。", PRESENT, "诊断：急性前壁心肌梗死；高血压病3级（很高危）。")
HTML = f"""<html lang="zh"><body style="font-family: 'Noto Sans CJK SC', sans-serif">
<h1>{LINES[0]}</h1><p>{LINES[1]}</p><p>{LINES[2].replace("阿司匹林", "<b>阿司匹林</b>")}</p>
<p style="page-break-before: always">{LINES[3]}</p></body></html>"""


def test_a_printed_note_is_its_text(browser: Browser, tmp_path: Path) -> None:
    """Simplified characters are characters, not radicals; header and page number are left out; pages are known."""
    page = browser.new_page()
    page.set_content(HTML)
    page.pdf(
        path=str(tmp_path / "note.pdf"),
        display_header_footer=True,
        header_template="<span style='font-size: 8px'>某某医院</span>",
        footer_template="<span style='font-size: 8px' class='pageNumber'></span>",
        margin={"top": "2cm", "bottom": "2cm", "left": "2cm", "right": "2cm"},
    )
    page.close()
    [document] = read_documents(tmp_path / "note.pdf")
    assert document.text.splitlines() == list(LINES)
    start = document.text.index("急性前壁心肌梗死")
    assert [place.page for place in places_of(document.places, start, start + 8)] == [2]
