"""The files of the web page."""

from __future__ import annotations

import re
import tomllib
from importlib import resources

import httpx
import pytest

WEB = resources.files("medner.service.http") / "assets"
SCRIPTS = tuple(sorted(file.name for file in WEB.iterdir() if file.name.endswith(".js")))
#: Words that scripts make of a value of the server's, word(`state_${job.state}`): they begin so.
MADE = (
    "count_",
    "fallback_",
    "filter_",
    "follow_",
    "format_",
    "keys_",
    "kind_",
    "nav_",
    "node_",
    "only_",
    "priority_",
    "rejected_",
    "state_",
    "tab_",
)


def _read(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def test_both_languages_have_the_words_that_are_used() -> None:
    """Every word the page or a script names exists, in both languages, and none is left over."""
    words = tomllib.loads(_read("words.toml"))
    used = set(re.findall(r"word\('(\w+)'\)|data-word(?:-\w+)?=\"(\w+)\"", _read("index.html")))
    named = {name for pair in used for name in pair if name}
    for script in SCRIPTS:
        named |= set(re.findall(r'word\("(\w+)"', _read(script)))
    quoted = {name for script in SCRIPTS for name in re.findall(r'["`](\w+)["`]', _read(script))}
    assert set(words["zh"]) == set(words["en"])
    assert named <= set(words["zh"])
    assert {one for one in words["zh"] if not one.startswith(MADE)} <= named | quoted


def test_text_is_never_set_as_markup() -> None:
    """No script builds elements or programs out of a string."""
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function"
    assert [script for script in SCRIPTS if re.search(markup, _read(script))] == []


def test_placeholders_are_the_same_in_both_languages() -> None:
    """A word takes the same values whatever the language."""
    words = tomllib.loads(_read("words.toml"))
    for key, text in words["zh"].items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", words["en"][key])), key


async def test_the_page_and_what_it_loads_come_with_a_policy(client: httpx.AsyncClient) -> None:
    """The page allows its own style and script alone; each file it names is served as what it is."""
    answer = await client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://|<style|\son\w+=|\sstyle=", answer.text)
    files = set(re.findall(r'"(/assets/[\w.]+)"', answer.text + "".join(map(_read, SCRIPTS))))
    kinds = {path: (await client.get(path)).headers["content-type"].split(";")[0] for path in files}
    assert set(kinds.values()) == {"text/css", "text/javascript"}
    assert {path.rpartition("/")[2] for path in kinds} == {"app.css", *SCRIPTS}


@pytest.mark.parametrize("name", ["nothing.js", "words.toml", "index.html", "..%2Fapp.py", "%2e%2e%2fapp.py"])
async def test_nothing_else_is_served(client: httpx.AsyncClient, name: str) -> None:
    """Files beside those of the page cannot be had."""
    assert (await client.get(f"/assets/{name}")).status_code == 404


async def test_a_hostile_note_stays_text_on_the_page(client: httpx.AsyncClient) -> None:
    """Name, id and text of a document are escaped; only medner's own page may show this one in a frame."""
    note = {"id": "<script>alert(1)</script>", "text": "</script><img src=x onerror=alert(1)>"}
    job = (await client.post("/v1/jobs", json={"documents": [note], "name": "<b>x</b>"})).json()["id"]
    answer = await client.get(f"/v1/jobs/{job}/page")
    assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"
    for bad in ("<script>alert", "<img src", "<b>x</b>"):
        assert bad not in answer.text
    assert "script-src &#39;sha256-" in answer.text


async def test_a_page_shows_the_documents_that_were_asked_for(client: httpx.AsyncClient) -> None:
    """`offset` and `limit` choose; beyond the end the page is empty and says so."""
    documents = [{"id": f"note-{number}", "text": "好转。"} for number in range(5)]
    job = (await client.post("/v1/jobs", json={"documents": documents})).json()["id"]
    page = await client.get(f"/v1/jobs/{job}/page", params={"offset": 3, "limit": 1, "language": "en"})
    assert "note-3" in page.text
    assert "note-2" not in page.text
    assert "note-4" not in page.text
    assert "The job is not done" in page.text
    beyond = await client.get(f"/v1/jobs/{job}/page", params={"offset": 9})
    assert beyond.headers["medner-documents"] == "0"
    assert (await client.get(f"/v1/jobs/{job}/page", params={"limit": 0})).status_code == 422
