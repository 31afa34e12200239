"""The report, and its two pages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from medner.core.errors import BadInputError
from medner.core.records import TOO_FEW_TAGGERS
from medner.evaluation.paper.markdown import paper_markdown
from medner.evaluation.paper.page import paper_page
from medner.evaluation.paper.report import paper_report

from .conftest import MANIFEST, QUICK


def test_two_data_sets_make_one_report(folder: Path) -> None:
    """Each table has a part a data set; two reports on one name would be confused."""
    other = folder / "other.toml"
    other.write_text('dataset = "another"\n' + MANIFEST, encoding="utf-8")
    report = paper_report([folder / "cmeee-v2.toml", other], QUICK)
    assert [len(section.grids) for section in report.sections] == [2] * 12
    assert report.sections[0].grids[1].heading == "another: n = 4 documents, 8 entities"
    with pytest.raises(BadInputError, match="another manifest reports on 'cmeee-v2'") as caught:
        paper_report([folder / "cmeee-v2.toml"] * 2, QUICK)
    assert caught.value.key == "dataset"


def test_a_reader_is_told_how_and_with_what(folder: Path) -> None:
    """n, interval, seed, commit and configuration, missing predictions and small n stand in both pages."""
    report = paper_report([folder / "cmeee-v2.toml"], QUICK)
    for page in (paper_page(report), paper_markdown(report).replace("\\", "")):
        text = page.replace("&amp;", "&")
        assert "100 resamples, seed 0" in text
        assert "4 documents, 8 entities, 2 of them nested" in text
        assert "abc1234" in text
        assert "two taggers & a judge" in text
        assert "untuned: no prediction for 1 of 4 documents (4)" in text
        assert "intervals from fewer than 30 are rough" in text
        assert "for orientation" in text


def test_sentences_without_an_answer_are_told(folder: Path) -> None:
    """A run that left sentences unanswered scores them as missed; the report says how many they are."""
    lines = (folder / "symbol.jsonl").read_text(encoding="utf-8").splitlines()
    record = json.loads(lines[0])
    record["entities"] = []
    record["sentences"][0] |= {"entities": [], "outputs": []}
    record["sentences"][0]["failures"] = [
        {"stage": "tag", "agent": "graph", "kind": TOO_FEW_TAGGERS, "message": "0 of 1", "raw": ""}
    ]
    lines[0] = json.dumps(record, ensure_ascii=False)
    (folder / "symbol.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = paper_report([folder / "cmeee-v2.toml"], QUICK)
    assert next(one for one in report.remarks if "without an answer" in one).startswith("cmeee-v2, symbol: 1 sentence ")


def test_the_page_stands_alone(folder: Path) -> None:
    """No script, no outside resource; charts are inline, each has its table; the navigation leads to every section."""
    page = paper_page(paper_report([folder / "cmeee-v2.toml"], QUICK))
    assert "<script" not in page
    assert set(re.findall(r"https?://[^\s\"]+", page)) == {"http://www.w3.org/2000/svg"}
    assert page.count("<svg") == 3
    links, anchors = re.findall(r'href="#([\w-]+)"', page), re.findall(r'<section id="([\w-]+)"', page)
    assert links == anchors
    assert len(links) == 12
    assert "prefers-color-scheme: dark" in page


def test_markup_in_a_name_stays_text(folder: Path) -> None:
    """Names are escaped in table, chart and Markdown; a bar in a name does not end a cell."""
    path = folder / "cmeee-v2.toml"
    path.write_text(MANIFEST.replace('name = "symbol"', 'name = "<b>|x"').replace('of = "symbol"', 'of = "<b>|x"'))
    report = paper_report([path], QUICK)
    page, markdown = paper_page(report), paper_markdown(report)
    assert "<b>" not in page
    assert "&lt;b&gt;|x" in page
    assert "\\<b\\>\\|x" in markdown


def test_markdown_tables_are_rectangular(folder: Path) -> None:
    """Every line of a table has as many cells as its head."""
    markdown = paper_markdown(paper_report([folder / "cmeee-v2.toml"], QUICK))
    tables = [block.splitlines() for block in markdown.split("\n\n") if block.startswith("|")]
    assert len(tables) == 13
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
