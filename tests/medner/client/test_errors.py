"""What goes wrong between client and server: one line each, with the way out; and what is tried again."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import medner
from medner.service.http.access.callers import Access
from medner.service.http.access.keys import KeyFile, KeyRing
from tests.service.http.conftest import Serving

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
NO_JOBS = OK + json.dumps({"jobs": [], "total": 0, "workers": []}).encode()
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\r\n"
    b'{"type": "urn:medner:problem:busy", "title": "", "status": 503, "detail": "too much at a time"}'
)


@asynccontextmanager
async def answering(*answers: bytes | None) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that gives these answers in turn, the last one for good, and the requests it got; None: no answer."""
    requests: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        requests.append(head.decode().split("\r\n")[0])
        given = answers[min(len(requests), len(answers)) - 1]
        if given is None:
            await reader.read()
        else:
            writer.write(given)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests


async def test_nobody_listens() -> None:
    """A dead server is named, and what to look at; asynchronously and synchronously."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with medner.connect_async(url) as server:
        with pytest.raises(medner.ExternalError, match=f"^{url}: cannot be reached; is the address right"):
            await server.jobs.list()

    def ask() -> None:
        with medner.connect(url) as server:
            server.jobs.list()

    with pytest.raises(medner.ExternalError, match="cannot be reached"):
        await asyncio.to_thread(ask)


async def test_no_answer_in_time() -> None:
    """A server that is silent costs the time that was given, and says so. What changes things is sent once."""
    async with answering(None) as (url, requests), medner.connect_async(url, timeout_s=0.2) as server:
        with pytest.raises(medner.ExternalError, match=r"no answer within 0.2 s"):
            await server.jobs.list()
        assert requests == ["GET /v1/jobs?limit=500 HTTP/1.1"] * 3
        job = medner.Job("j", "", "running", 0, 0, 0, 0, 0, 0)
        with pytest.raises(medner.ExternalError, match=r"no answer within"):
            await server.jobs.cancel(job)
        assert requests[3:] == ["POST /v1/jobs/j/cancel HTTP/1.1"]


async def test_a_busy_server_is_asked_again() -> None:
    """A reading request is sent again; one that changes things is not, and gives the server's own words."""
    async with answering(BUSY, BUSY, NO_JOBS) as (url, requests), medner.connect_async(url) as server:
        assert await server.jobs.list() == []
        assert len(requests) == 3
    async with answering(BUSY) as (url, requests), medner.connect_async(url) as server:
        with pytest.raises(medner.ExternalError, match="too much at a time"):
            await server.jobs.replay(medner.Job("j", "", "failed", 0, 0, 0, 0, 0, 0))
        assert len(requests) == 1


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n<html>", medner.RefusedError, "not as a medner server"),
        (b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n", medner.ExternalError, "a proxy answers 502"),
        (
            b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://x/?k=1\r\nConnection: close\r\n\r\n",
            medner.RefusedError,
            "sends on to https://x/ .308 Permanent Redirect., which is not followed",
        ),
        (OK + b"<html>", medner.ExternalError, "cannot be read: Invalid JSON"),
        (OK + b'{"jobs": [{"id": "secret"}]}', medner.ExternalError, "cannot be read: jobs.0.state: "),
        (b"garbage\r\n\r\n", medner.ExternalError, "connection broke off"),
    ],
)
async def test_what_is_no_medner_server(answer: bytes, error: type[Exception], words: str) -> None:
    """A page, a proxy, a redirect, another program: one line that says what it seems to be."""
    async with answering(answer) as (url, _), medner.connect_async(url) as server:
        with pytest.raises(error, match=words) as caught:
            await server.jobs.list()
        assert "\n" not in str(caught.value)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("asked", ["async", "sync"])
async def test_results_that_break_off(asked: str) -> None:
    """Half a stream is an error after what came, never an end."""
    view = {
        "id": "j",
        "state": "completed",
        "submitted": "2026-01-31T00:00:00Z",
        "counts": {"documents": 2, "sentences": 2, "done": 2, "dead": 0},
    }
    line = json.dumps({"id": "a", "text": "患者咳嗽。", "sentences": []}).encode() + b"\n"
    broken = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        + f"{len(line):x}\r\n".encode()
        + line
        + b"\r\n"
    )
    labels = OK + b'{"labels": []}'
    seen: list[str] = []

    def read() -> None:
        with medner.connect(url) as server:
            for one in server.jobs.results(job):
                seen.append(one.id)  # noqa: PERF401  what came before the error counts

    async def read_async() -> None:
        async with medner.connect_async(url) as server:
            async for one in server.jobs.results(job):
                seen.append(one.id)  # noqa: PERF401

    job = medner.Job("j", "", "completed", 0, 0, 0, 0, 0, 0)
    async with answering(OK + json.dumps(view).encode(), labels, broken) as (url, requests):
        with pytest.raises(medner.ExternalError, match="the results broke off after 1 lines and are not complete"):
            await (asyncio.to_thread(read) if asked == "sync" else read_async())
        assert seen == ["a"]
        assert len(requests) == 3


async def test_keys(serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key or with a wrong one the error says how to give one, and never shows it."""
    file = KeyFile(tmp_path / "keys.json")
    key = file.add("ward-7")
    async with serving(access=Access(KeyRing(file, required=True))) as client:
        url = str(client.base_url)
        async with medner.connect_async(url, key) as server:
            assert await server.jobs.list() == []
            assert key not in repr(server._connection.address)
        monkeypatch.setenv("WARD_KEY", key + "\n")
        async with medner.connect_async(url, key_env="WARD_KEY") as server:
            assert await server.jobs.list() == []
        for given, words in ((None, "this server asks for a key"), ("mk-wrong", "this key is none of the server's")):
            async with medner.connect_async(url, given) as server:
                with pytest.raises(medner.RefusedError, match=f"^{url}: {words}; give it as key=") as caught:
                    await server.jobs.list()
                assert (caught.value.kind, caught.value.status) == ("no-key", 401)
                assert "mk-wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: medner.connect("ftp://x"), "is no address of a medner server"),
        (lambda: medner.connect("127.0.0.1:8080"), "is no address"),
        (lambda: medner.connect("http://a b"), "is no address"),
        (lambda: medner.connect("http://h:x"), "is no address"),
        (lambda: medner.connect("http://me:secret@host"), "^the address holds a user or a password"),
        (lambda: medner.connect("http://127.0.0.1:1/?key=1"), "neither . nor #"),
        (lambda: medner.connect("http://127.0.0.1:1", "a b"), "^key: holds no key"),
        (lambda: medner.connect("http://127.0.0.1:1", "钥匙"), "^key: holds no key"),
        (lambda: medner.connect("http://127.0.0.1:1", "a", key_env="B"), "leave one out"),
        (lambda: medner.connect("http://127.0.0.1:1", key_env="NO_SUCH_VARIABLE"), "NO_SUCH_VARIABLE: .* is not set"),
        (lambda: medner.connect("https://127.0.0.1:1", ca="/no/such.pem"), "is no file of certificates"),
        (lambda: medner.connect("http://127.0.0.1:1", timeout_s=0), "timeout_s must be more than 0"),
    ],
)
def test_what_cannot_be_connected_to(call: Callable[[], medner.Server], words: str) -> None:
    """A wrong address, a key that can be none: said at once."""
    with pytest.raises(medner.UserError, match=words):
        call()


@pytest.mark.filterwarnings("default")
def test_an_unencrypted_way_is_warned_of() -> None:
    """Texts and key over plain HTTP to another machine: a warning; not on this machine."""
    with pytest.warns(UserWarning, match="can be read on the way; use https"):
        medner.connect("http://192.0.2.1:8080", "k").close()
    with pytest.warns(UserWarning, match="can be read"):
        medner.connect("http://ward.example.org/medner/v1/", "k").close()
    medner.connect("http://localhost:8080", "k").close()
    medner.connect("http://[::1]:8080").close()
