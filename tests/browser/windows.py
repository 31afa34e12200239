"""Windows on the workbench: what goes wrong in them is collected, and places are reached by their addresses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, Page, expect

WAIT_MS = 60_000
#: Annotated by the scripted worker of `tests.http_kit`; one entity (心电图) is disputed.
NOTE = "患者咳嗽三天，伴胸痛。\n既往高血压，行心电图检查。\n予阿司匹林口服。"
expect.set_options(timeout=30_000)
_REFUSED = "Failed to load resource"


@dataclass
class Window:
    """A page of the workbench; ``troubles`` are its errors and its requests to elsewhere."""

    page: Page
    url: str
    troubles: list[str] = field(default_factory=list)

    def go(self, *parts: str, query: str = "") -> None:
        """Opens a place: go("jobs", ID) is #/jobs/ID."""
        place = "#/" + "/".join(quote(part, safe="") for part in parts) + (f"?{query}" if query else "")
        self.page.goto(self.url + "/" + place)
        expect(self.page.locator("main:not([aria-busy])")).to_be_visible(timeout=WAIT_MS)
        self.page.wait_for_function("place => location.hash === place || location.hash === decodeURI(place)", arg=place)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a request, which must be a good one."""
        answer = self.page.request.fetch(self.url + path, method=method, data=body)
        assert answer.ok, f"{method} {path}: {answer.status} {answer.text()}"
        return None if answer.status == 204 else answer.json()

    def submitted(self, *texts: str, name: str = "", **options: Any) -> str:
        """The id of a job of these notes."""
        documents = [{"id": f"note-{number}", "text": text} for number, text in enumerate(texts, 1)]
        return str(self.api("POST", "/v1/jobs", {"name": name, "documents": documents, **options})["id"])

    def ended(self, job: str, *, patience_s: float = 60) -> dict[str, Any]:
        """The job once it has ended."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            found: dict[str, Any] = self.api("GET", f"/v1/jobs/{job}")
            if found["finished"] is not None:
                return found
            time.sleep(0.1)
        raise AssertionError(f"job {job} did not end")


@contextmanager
def opened(
    browser: Browser, url: str, *, width: int = 1280, height: int = 900, dark: bool = False, refusals: bool = False
) -> Iterator[Window]:
    """A window of its own. ``refusals``: answers from 400 up are part of the test."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale="zh-CN", color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    window = Window(page, url)

    def heard(kind: str, text: str) -> None:
        if kind == "error" and not (refusals and text.startswith(_REFUSED)):
            window.troubles.append(text)

    def foreign(address: str) -> None:
        if not address.startswith((url, "data:", "blob:")):
            window.troubles.append(address)

    page.on("pageerror", lambda error: window.troubles.append(str(error)))
    page.on("console", lambda message: heard(message.type, message.text))
    page.on("response", lambda response: foreign(response.url))
    page.on("requestfailed", lambda request: foreign(request.url))
    page.goto(url)
    try:
        yield window
    finally:
        context.close()
    assert window.troubles == []
