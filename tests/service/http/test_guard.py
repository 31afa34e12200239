"""Who may use the server, from where, and what it says of a request."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from medner.core.errors import UserError
from medner.service.http.access.callers import COOKIE, Access
from medner.service.http.access.keys import KeyFile, KeyRing
from medner.service.worker.logs import JsonLines
from tests.service.http.conftest import Serving

NOTE = {"documents": [{"id": "甲", "text": "患者咳嗽三天。"}]}


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    """A file without a key."""
    return KeyFile(tmp_path / "keys" / "api-keys.json")


def test_a_key_is_shown_once_and_kept_as_a_hash(keys: KeyFile) -> None:
    """The file holds name, salt and hash, for its user alone; the key opens, every other does not."""
    key, other = keys.add("ward-7"), keys.add("ward-8")
    text = keys.path.read_text(encoding="utf-8")
    assert key not in text
    assert key.removeprefix("medner_") not in text
    assert keys.path.stat().st_mode & 0o077 == 0
    ring = KeyRing(keys)
    assert (ring.owner(key), ring.owner(other), ring.owner(key[:-1]), ring.owner("")) == (
        "ward-7",
        "ward-8",
        None,
        None,
    )


def test_names_are_checked(keys: KeyFile) -> None:
    """A name has one key; a name without one cannot be removed."""
    keys.add("a")
    for wrong in ("a", "", "two words", "x" * 65):
        with pytest.raises(UserError):
            keys.add(wrong)
    with pytest.raises(UserError, match="there are: a"):
        keys.remove("b")


def test_changes_are_noticed_and_a_lost_file_lets_nobody_in(keys: KeyFile) -> None:
    """Without a file no key is needed; once there was one, removing, breaking or deleting it opens nothing."""
    ring = KeyRing(keys)
    assert not ring.needed
    key = keys.add("a")
    assert ring.needed
    assert ring.owner(key) == "a"
    assert keys.remove("a") == 0
    assert (ring.owner(key), ring.needed) == (None, True)
    key = keys.add("a")
    assert ring.owner(key) == "a"
    keys.path.write_text("{", encoding="utf-8")
    assert (ring.owner(key), ring.needed) == (None, True)
    keys.path.unlink()
    assert (ring.owner(key), ring.needed) == (None, True)


def test_a_damaged_file_is_named(keys: KeyFile) -> None:
    """The command says which file, and what writes it."""
    keys.add("a")
    keys.path.write_text('{"keys": [{"name": "a"}]}', encoding="utf-8")
    with pytest.raises(UserError, match=r"api-keys\.json.*medner serve keys"):
        keys.stored()


async def test_without_the_key_there_is_nothing_but_health(keys: KeyFile, serving: Serving) -> None:
    """Every path asks for the key but health, the description of the API, and what begins a session."""
    key = keys.add("a")
    async with serving(access=Access(KeyRing(keys))) as client:
        for path in ("/v1/jobs", "/v1/labels", "/metrics", "/v1/jobs/x/results", "/nowhere"):
            refused = await client.get(path)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="medner"')
        wrong = await client.get("/v1/jobs", headers={"Authorization": f"Bearer {key}x"})
        right = await client.get("/v1/jobs", headers={"Authorization": f"bearer {key}"})
        opened = [(await client.get(path)).status_code for path in ("/health", "/v1/openapi.json", "/v1/session")]
    assert (wrong.status_code, right.status_code, opened) == (401, 200, [200, 200, 200])


async def test_a_session_lets_a_browser_in_until_its_key_is_gone(keys: KeyFile, serving: Serving) -> None:
    """A key buys a cookie that scripts cannot read; it ends with the session, the key, or its time."""
    key, now = keys.add("a"), [0.0]
    async with serving(access=Access(KeyRing(keys), clock=lambda: now[0])) as client:
        assert (await client.post("/v1/session", json={"key": "wrong"})).status_code == 401
        begun = await client.post("/v1/session", json={"key": key})
        assert begun.status_code == 204
        assert {"HttpOnly", "SameSite=strict"} <= set(begun.headers["set-cookie"].split("; "))
        assert (await client.get("/v1/session")).json() == {
            "key_needed": True,
            "name": "a",
            "scopes": ["read", "submit", "review", "admin"],
        }
        assert (await client.get("/v1/jobs")).status_code == 200
        cookie = client.cookies[COOKIE]
        assert (await client.delete("/v1/session")).status_code == 204
        assert (await client.get("/v1/jobs", headers={"Cookie": f"{COOKIE}={cookie}"})).status_code == 401
        await client.post("/v1/session", json={"key": key})
        now[0] += 13 * 3_600
        assert (await client.get("/v1/jobs")).status_code == 401
        await client.post("/v1/session", json={"key": key})
        keys.remove("a")
        assert (await client.get("/v1/jobs")).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "localhost:8080"}, 200),
        ({"Host": "[::1]:8080"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Host": "[", "Origin": "http://["}, 421),
        ({"Host": "localhost:8080", "Origin": "http://localhost:8080"}, 200),
        ({"Host": "localhost:8080", "Origin": "http://localhost:9999"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
    ],
)
async def test_pages_of_other_sites_are_kept_out(serving: Serving, headers: dict[str, str], status: int) -> None:
    """A name that was made to lead here and a page of another origin get nothing, whatever the method."""
    async with serving(hosts=frozenset({"localhost", "127.0.0.1", "::1"})) as client:
        assert (await client.get("/v1/jobs", headers=headers)).status_code == status
        assert (await client.post("/v1/jobs", json=NOTE, headers=headers)).status_code == (
            202 if status == 200 else status
        )


async def test_every_answer_has_the_guarding_headers(client: httpx.AsyncClient) -> None:
    """Nothing is cached, framed, sniffed or shared with other sites; also where nothing is found."""
    for path in ("/v1/jobs", "/nowhere", "/v1/jobs/x"):
        headers = (await client.get(path)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


async def test_the_log_has_neither_texts_nor_queries_nor_keys(
    keys: KeyFile, serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """A line a request: method, route, job, status, time, whose key."""
    key = keys.add("ward-7")
    caplog.set_level(logging.DEBUG)
    async with serving(access=Access(KeyRing(keys))) as client:
        headers = {"Authorization": f"Bearer {key}"}
        await client.post("/v1/jobs", params={"name": "秘密" * 99}, json=NOTE, headers=headers)
        await client.post("/v1/jobs", json=NOTE, headers=headers)
        await client.get("/v1/jobs/20260101-000000-abcdef", params={"secret": "秘密"}, headers=headers)
    ours = [record for record in caplog.records if record.name.startswith(("medner", "uvicorn"))]
    text = "\n".join(JsonLines().format(record) for record in ours)
    assert "秘密" not in text
    assert "咳嗽" not in text
    assert key not in text
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    said = [(one["method"], one["route"], one["status"], one["key"]) for one in lines if one["message"] == "request"]
    assert said == [
        ("POST", "/v1/jobs", 422, "ward-7"),
        ("POST", "/v1/jobs", 202, "ward-7"),
        ("GET", "/v1/jobs/{id}", 404, "ward-7"),
    ]


async def test_prometheus_reads_queue_and_requests(client: httpx.AsyncClient) -> None:
    """Numbers by route and status; unknown paths and methods are one each, however many are tried."""
    await client.post("/v1/jobs", json=NOTE)
    for number in range(3):
        await client.get(f"/nowhere/{number}")
        await client.request(f"X{number}", "/v1/jobs")
    text = (await client.get("/metrics")).text
    assert 'medner_jobs{state="queued"} 1.0' in text
    assert "medner_sentences_left 1.0" in text
    assert 'medner_http_requests_total{method="POST",route="/v1/jobs",status="202"} 1.0' in text
    assert text.count('route="other"') <= 20
    assert 'method="X' not in text
