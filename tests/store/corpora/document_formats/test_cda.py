"""CDA documents: narratives and entries of sections, in order, each line with its section."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from medner.core.errors import BadInputError
from medner.store.corpora.reading.notes import Note
from tests.store.corpora.document_formats.document_kit import cda, place_at, reading_of

Make = Callable[..., Path]
ENTRY = (
    '<component><section><code code="10154-3" displayName="CHIEF COMPLAINT"/><text/><entry><observation '
    'classCode="OBS" moodCode="EVN"><code code="DE04.01.119.00" displayName="主诉"/>'
    '<value xsi:type="ST">反复胸痛3天</value></observation></entry></section></component>'
)
NARRATIVE = """<component><section><title>现病史</title><text>
    <paragraph>患者3天前
       出现<content styleCode="Bold">胸痛</content>，伴大汗。</paragraph>
    <list><item>口服阿司匹林</item><item>无好转</item></list>
    <table><thead><tr><th>项目</th><th>结果</th></tr></thead>
    <tbody><tr><td>血红蛋白</td><td>98 g/L</td></tr></tbody></table>
  </text><entry><observation><code displayName="现病史"/><value xsi:type="ST">同上</value></observation></entry>
  <component><section><title>既往史</title><text>高血压10年
糖尿病5年</text></section></component></section></component>"""


def test_entries_are_the_text_where_the_narrative_is_empty(make: Make) -> None:
    """As WS/T 500 has it: the name of the entry, a colon, its value. Names of the patient are no text."""
    document, reading = reading_of(make(cda(ENTRY), "入院记录.xml"))
    assert (reading.format.name, document.id, document.text) == ("cda", "入院记录", "主诉：反复胸痛3天")
    assert [place.part for place in place_at(document, "胸痛")] == ["CHIEF COMPLAINT / 主诉"]


def test_a_narrative_is_read_as_people_see_it(make: Make) -> None:
    """Paragraphs, items and rows are lines; the file's own indentation is none; nested sections keep both titles."""
    document, reading = reading_of(make(cda(NARRATIVE), "a.xml"))
    assert document.text.splitlines() == [
        *("现病史", "患者3天前出现胸痛，伴大汗。", "口服阿司匹林", "无好转", "项目\t结果", "血红蛋白\t98 g/L"),
        *("既往史", "高血压10年", "糖尿病5年"),
    ]
    assert place_at(document, "糖尿病")[0].part == "现病史 / 既往史"
    assert place_at(document, "阿司匹林")[0].paragraph == 3
    assert reading.notes[Note.ENTRIES] == 1


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ('<value xsi:type="PQ" value="98" unit="g/L"/>', "血红蛋白：98g/L"),
        ('<value xsi:type="CD" code="I10" displayName="高血压"/>', "血红蛋白：高血压"),
        ('<value xsi:type="TS" value="20260101"/>', None),
        ('<value xsi:type="BL" value="true"/>', None),
    ],
)
def test_values_are_words_and_quantities(value: str, line: str | None, make: Make) -> None:
    """Codes by their names, quantities with units; dates and truth values are no text."""
    entry = f'<entry><observation><code displayName="血红蛋白"/>{value}</observation></entry>'
    path = make(cda(ENTRY + f"<component><section><text/>{entry}</section></component>"), "a.xml")
    lines = reading_of(path)[0].text.splitlines()
    assert lines[1:] == ([] if line is None else [line])


def test_drugs_and_procedures_are_named(make: Make) -> None:
    """What was given and done has no value: its name is the text."""
    given = (
        "<entry><substanceAdministration><consumable><manufacturedProduct><manufacturedMaterial><name>阿司匹林</name>"
        "</manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration></entry>"
        '<entry><procedure><code displayName="冠状动脉造影"/></procedure></entry>'
    )
    path = make(cda(f"<component><section><title>治疗</title><text/>{given}</section></component>"), "a.xml")
    assert reading_of(path)[0].text.splitlines() == ["治疗", "阿司匹林", "冠状动脉造影"]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_the_encoding_is_found(encoding: str, make: Make) -> None:
    """Chinese encodings too, which XML parsers do not know, whatever the declaration says."""
    text = cda(ENTRY, before='<?xml version="1.0" encoding="GB2312"?>')
    assert reading_of(make(text.encode(encoding), "a.xml"))[0].text == "主诉：反复胸痛3天"


def test_a_body_that_is_a_file_says_so(make: Make) -> None:
    """A PDF inside CDA has to be taken out."""
    whole = cda("").replace(
        "<structuredBody></structuredBody>",
        '<nonXMLBody><text mediaType="application/pdf" representation="B64">JVBERi0=</text></nonXMLBody>',
    )
    with pytest.raises(BadInputError, match="no text but application/pdf"):
        reading_of(make(whole, "a.xml"))
