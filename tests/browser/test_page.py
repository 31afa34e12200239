"""The page of annotations as a reader meets it, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from medner.core.labels import load_label_set
from medner.core.records import (
    AnnotatedDocument,
    AnnotatedEntity,
    Annotation,
    Candidate,
    Conflict,
    ConflictKind,
    Decision,
    Decoded,
    Document,
    Entity,
    Sentence,
    Span,
    TaggerOutput,
    Verdict,
)
from medner.service.page.page import render_page

pytestmark = pytest.mark.browser

PIECES = """() => {
  const joined = {};
  for (const piece of document.querySelectorAll('.text .u')) {
    joined[piece.dataset.mark] = (joined[piece.dataset.mark] || '') + piece.textContent;
  }
  return joined;
}"""


@pytest.fixture
def page(browser: Browser, page_html: str, tmp_path: Path) -> Iterator[Page]:
    """The sample page opened from a file, in a window of its own; any script error fails the test."""
    file = tmp_path / "annotations.html"
    file.write_bytes(page_html.encode("utf-8"))
    window = browser.new_page(viewport={"width": 1360, "height": 900})
    troubles: list[str] = []
    window.on("pageerror", lambda error: troubles.append(str(error)))
    window.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    window.goto(file.as_uri())
    yield window
    window.close()
    assert troubles == []


def _chip(page: Page, text: str) -> str:
    details = json.loads(page.locator("#details").text_content() or "")
    number = next(place for place, mark in enumerate(details["marks"]) if mark["text"] == text)
    return f'.text .chip[data-mark="{number}"]'


def test_the_page_asks_nobody(browser: Browser, page_html: str, tmp_path: Path) -> None:
    """Opening the page and a dispute makes one request: the file itself."""
    file = tmp_path / "annotations.html"
    file.write_bytes(page_html.encode("utf-8"))
    window = browser.new_page()
    requests: list[str] = []
    window.on("request", lambda request: requests.append(request.url))
    window.goto(file.as_uri())
    window.keyboard.press("n")
    expect(window.locator("#panel")).to_be_visible()
    assert requests == [file.as_uri()]
    window.close()


def test_text_is_exact(page: Page, documents: tuple[AnnotatedDocument, ...]) -> None:
    """Each document's text content is the document's text, code point by code point, carriage returns too."""
    shown = page.locator(".text").evaluate_all("texts => texts.map(text => text.textContent)")
    assert shown == [annotated.document.text for annotated in documents]


def test_pieces_of_every_entity_make_its_text(page: Page, documents: tuple[AnnotatedDocument, ...]) -> None:
    """Nested and crossing entities alike: the pieces under an entity's mark join to document[start:end]."""
    marks = json.loads(page.locator("#details").text_content() or "")["marks"]
    joined = page.evaluate(PIECES)
    kept = [number for number, mark in enumerate(marks) if mark["state"] in ("agreed", "judged", "fallback")]
    expected = [entity.text_in(one.document.text) for one in documents for entity in one.entities]
    assert [joined[str(number)] for number in kept] == expected
    assert [joined[str(number)] for number in range(len(marks))] == [mark["text"] for mark in marks]


def test_keyboard_opens_and_closes_a_dispute(page: Page) -> None:
    """Enter on a disputed entity shows who said what and the verdict; Escape closes it and gives the focus back."""
    chip = page.locator(_chip(page, "颈部淋巴结肿大"))
    chip.focus()
    page.keyboard.press("Enter")
    panel = page.locator("#panel")
    expect(panel).to_be_visible()
    expect(panel.locator("#panel-title")).to_be_focused()
    expect(panel.locator("#who thead th")).to_have_text(["候选", "shots-json", "shots-symbol", "过滤分", "结果"])
    rows = panel.locator("#who tbody tr")
    expect(rows.nth(0)).to_have_text("颈部淋巴结肿大伴压痛 临床表现 [18, 28)✓–0.61未采纳")
    expect(rows.nth(1)).to_have_text("颈部淋巴结肿大 临床表现 [18, 25)–✓0.74保留")
    expect(panel).to_contain_text("local-select")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(chip).to_be_focused()
    page.keyboard.press("Space")
    expect(panel).to_be_visible()


def test_fallback_says_why(page: Page) -> None:
    """A conflict that a rule decided shows the rule, the reason and the judge's raw answer."""
    page.locator(_chip(page, "肺炎支原体")).click()
    panel = page.locator("#panel")
    expect(panel.locator(".warn")).to_contain_text("多数票")
    expect(panel.locator(".warn")).to_contain_text("回答中没有编号")
    expect(panel.locator("details", has_text="裁判的原始回答").locator("pre")).to_have_text("我认为两个都可以")


def test_what_no_tagger_gave_is_shown_with_its_kind(browser: Browser, tmp_path: Path) -> None:
    """A maybe has no tick of any tagger, its kind is in words of both languages, and so is what was over the bound."""
    maybe = Candidate(Entity(2, 4, "sym"), (), 0.17)
    annotation = Annotation(
        Sentence("a#0", "患者头痛", 0),
        outputs=(TaggerOutput("one", "[]", Decoded(())),),
        conflicts=(Conflict("c0", Span(2, 4), ConflictKind.MAYBE, (maybe,)),),
        verdicts=(Verdict("c0", (), (maybe.entity,), "filter-score", "1", "filter-score"),),
        left_out={"maybe": 3},
    )
    document = AnnotatedDocument(Document("a", "患者头痛"), (annotation,))
    file = tmp_path / "maybe.html"
    file.write_text(render_page([document], load_label_set("cmeee-v2"), title="t", configuration={}), encoding="utf-8")
    window = browser.new_page()
    window.goto(file.as_uri())
    window.keyboard.press("n")
    panel = window.locator("#panel")
    expect(panel).to_contain_text("可能：没有标注器给出，但有一定概率")
    expect(panel).to_contain_text("此句另有 3 个可能的实体超出上限，未交裁判")
    expect(panel.locator("#who tbody tr")).to_have_text(["头痛 临床表现 [2, 4)–0.17未采纳"])
    window.locator("#language").click()
    expect(panel).to_contain_text("Maybe: given by no tagger, but not improbable")
    expect(panel).to_contain_text("3 more maybe entities of this sentence were over the bound")
    window.close()


def test_silent_tagger_is_shown_as_failed(page: Page) -> None:
    """A tagger that failed is not shown as one that saw no entity; its failure is written out."""
    page.locator(_chip(page, "起皮疹")).click()
    panel = page.locator("#panel")
    expect(panel.locator(".fail")).to_contain_text("no answer within 30 s")
    hostile = page.locator(".judged > .chip").last
    hostile.click()
    expect(panel.locator("#who tbody tr").first).to_contain_text("失败")


def test_type_toggles(page: Page) -> None:
    """A type that is unticked loses its labels and can be brought back."""
    chips = page.locator('.text .chip[data-code="dru"]')
    expect(chips.first).to_be_visible()
    page.locator(".legend li", has_text="药物").locator("input").uncheck()
    expect(chips.first).to_be_hidden()
    expect(page.locator('.text .chip[data-code="sym"]').first).to_be_visible()
    page.click("#all-types")
    expect(chips.first).to_be_visible()


def test_candidates_not_kept_are_found(page: Page) -> None:
    """A candidate of the filter is hidden at first; the search finds and shows it with its score and threshold."""
    chip = page.locator(_chip(page, "主诉"))
    expect(chip).to_be_hidden()
    page.fill("#search", "主诉")
    expect(page.locator("#search-count")).to_have_text("1 处")
    page.keyboard.press("Enter")
    expect(chip).to_be_visible()
    expect(page.locator("#panel .warn")).to_have_text("causal-yes-no: 分数 0.08 低于阈值 0.50")
    expect(page.locator("#search")).to_be_focused()


def test_conflict_without_survivor_keeps_its_place(page: Page) -> None:
    """Where a judge kept nothing, the candidates stay marked and the dispute can be opened."""
    page.locator(_chip(page, "送检痰培养")).click()
    expect(page.locator("#who tbody tr")).to_have_count(2)
    expect(page.locator("#panel")).to_contain_text("未采纳")


def test_language_switches(page: Page) -> None:
    """The interface changes language while the page is open, the panel too; the texts stay as they are."""
    page.keyboard.press("n")
    before = page.locator(".text").first.text_content()
    page.click("#language")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator(".legend > summary")).to_have_text("Entity types")
    expect(page.locator("#panel")).to_contain_text("Who said what")
    expect(page.locator(".flag").first).to_have_attribute("data-text", "this passage was not annotated")
    assert page.locator(".text").first.text_content() == before
    page.click("#language")
    expect(page.locator(".legend > summary")).to_have_text("实体类型")


def test_hostile_text_shows_literally(page: Page) -> None:
    """Markup in a text, a prompt, an answer or a judge's name is shown, never run."""
    text = "<script>alert('x')</script>\"利多卡因\""
    page.locator(_chip(page, text)).click()
    panel = page.locator("#panel")
    expect(panel.locator("#panel-title")).to_have_text(text)
    expect(panel).to_contain_text("<b>judge</b>")
    expect(panel.locator("pre").nth(1)).to_have_text("</script><img src=x>")
    assert page.locator("img, iframe, #panel i, #panel b").count() == 0
    assert page.locator("script").count() == 3


def test_problems_are_plain(page: Page) -> None:
    """A sentence without any answer, one with a failed step, a cut answer and a missing passage each say so."""
    flags = page.locator(".flag").evaluate_all("flags => flags.map(flag => flag.dataset.flag)")
    assert flags == ["missing", "failed", "truncated", "unanswered", "missing"]
    page.locator(".flag[data-flag=unanswered]").click()
    expect(page.locator("#panel .fail")).to_have_count(3)
    page.locator(".flag[data-flag=truncated]").click()
    expect(page.locator("#panel .warn")).to_contain_text("回答被截断")


def test_offsets_are_copied(page: Page) -> None:
    """The copied record has the entity's offsets in the document."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(_chip(page, "颈部淋巴结肿大")).click()
    page.click("#copy")
    expect(page.locator("#copy + [role=status]")).to_have_text("已复制")
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert copied == {"document": "01-outpatient.txt", "start": 37, "end": 44, "label": "sym", "text": "颈部淋巴结肿大"}


def test_narrow_screen_needs_no_sideways_scrolling(page: Page) -> None:
    """At 400 pixels the page fits, and the panel leaves the entity asked about in sight."""
    page.set_viewport_size({"width": 400, "height": 820})
    chip = page.locator(_chip(page, "肺炎支原体"))
    chip.click()
    expect(page.locator("#panel")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    page.wait_for_function(
        "chip => chip.getBoundingClientRect().bottom <= document.querySelector('#panel').getBoundingClientRect().top",
        arg=chip.element_handle(),
    )


def test_long_documents_stay_usable(browser: Browser, tmp_path: Path) -> None:
    """A document of 500 sentences opens, and a type is toggled and a text found, each within two seconds."""
    sentence = "患者咳嗽三天，颈部淋巴结肿大，予左氧氟沙星口服。"
    spans = ((2, 4, "sym"), (7, 14, "sym"), (7, 12, "bod"), (16, 21, "dru"), (21, 23, "pro"))
    entities = tuple(AnnotatedEntity(Entity(*span), Decision.AGREED, ("a", "b")) for span in spans)
    document = Document("long", sentence * 500)
    annotations = tuple(
        Annotation(Sentence(f"long#{place}", sentence, place * len(sentence)), entities) for place in range(500)
    )
    html = render_page(
        [AnnotatedDocument(document, annotations)], load_label_set("cmeee-v2"), title="long", configuration={}
    )
    file = tmp_path / "long.html"
    file.write_bytes(html.encode("utf-8"))
    window = browser.new_page()
    window.goto(file.as_uri(), timeout=20_000)
    window.set_default_timeout(2_000)
    window.fill("#search", "左氧氟沙星")
    expect(window.locator("#search-count")).to_have_text("500 处", timeout=2_000)
    window.locator(".legend li", has_text="药物").locator("input").uncheck()
    expect(window.locator('.text .chip[data-code="dru"]').first).to_be_hidden(timeout=2_000)
    window.close()
