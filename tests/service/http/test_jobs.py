"""Jobs over HTTP: submitted, watched, read, steered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from medner.core.records import Document
from medner.service.http.access.limits import Limits
from medner.store.corpora.json_formats.jsonl import line_to_annotated
from medner.store.jobs import Jobs
from tests.jobs_kit import RAISES, WORD, documents, expected, spec
from tests.service.http.conftest import Serving, until_end

NOTES = [{"id": "甲", "text": "患者咳嗽三天。好转。"}, {"id": "乙", "text": "无不适。"}]
LINES = {"Content-Type": "application/x-ndjson"}


def as_lines(notes: list[dict[str, Any]]) -> bytes:
    """The notes as a body of JSON lines."""
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in notes).encode()


async def test_documents_come_back_with_their_entities(client: httpx.AsyncClient, working: Any) -> None:
    """A submit answers 202 with the job's place; its results are lines in the order of the documents."""
    async with working():
        submitted = await client.post("/v1/jobs", json={"documents": NOTES, "name": "ward"})
        assert submitted.status_code == 202
        job = submitted.json()["id"]
        assert submitted.headers["location"] == f"/v1/jobs/{job}"
        ended = await until_end(client, job)
    assert (ended["state"], ended["name"], ended["counts"]["done"]) == ("completed", "ward", 3)
    results = await client.get(f"/v1/jobs/{job}/results")
    assert results.headers["medner-sentences-missing"] == "0"
    assert [json.loads(line) for line in results.text.splitlines()] == [
        {"id": "甲", "entities": [{"start": 2, "end": 4, "label": "sym", "text": WORD}]},
        {"id": "乙", "entities": []},
    ]


async def test_full_results_are_what_the_command_writes(client: httpx.AsyncClient, jobs: Jobs, working: Any) -> None:
    """With format=full each line is the whole annotation, readable by medner's own reader."""
    async with working():
        job = (await client.post("/v1/jobs", json={"documents": NOTES})).json()["id"]
        await until_end(client, job)
    lines = (await client.get(f"/v1/jobs/{job}/results", params={"format": "full"})).text.splitlines()
    assert [line_to_annotated(line) for line in lines] == [one async for one in jobs.results(job)]


async def test_a_stream_of_lines_is_read_while_it_comes(client: httpx.AsyncClient, working: Any) -> None:
    """Lines may be cut anywhere by the network, in the middle of a character too; none is lost."""
    given = documents(60)
    body = as_lines([{"id": one.id, "text": one.text} for one in given])

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 97):
            yield body[at : at + 97]

    async with working():
        submitted = await client.post("/v1/jobs", content=pieces(), headers=LINES, params={"priority": "high"})
        assert submitted.json()["documents"] == 60
        job = submitted.json()["id"]
        assert (await until_end(client, job))["priority"] == "high"
    lines = [json.loads(line) for line in (await client.get(f"/v1/jobs/{job}/results")).text.splitlines()]
    assert {one["id"]: [(it["start"], it["end"]) for it in one["entities"]] for one in lines} == expected(given)


@pytest.mark.parametrize(
    "body", [as_lines(NOTES).rstrip(b"\n"), b"\xef\xbb\xbf" + as_lines(NOTES), b"\r\n" + as_lines(NOTES)]
)
async def test_lines_as_other_programs_write_them(client: httpx.AsyncClient, body: bytes) -> None:
    """A last line without its end, a byte order mark and blank lines are understood."""
    assert (await client.post("/v1/jobs", content=body, headers=LINES)).json()["documents"] == 2


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('{"id": "c", "text": ', None),
        ('{"id": "c"}', "text"),
        ('{"id": "c", "text": "a", "label": 1}', "label"),
        ('{"id": "c", "text": ""}', "text"),
        ("[]", None),
    ],
)
async def test_a_broken_line_is_named_and_makes_no_job(
    client: httpx.AsyncClient, jobs: Jobs, line: str, key: str | None
) -> None:
    """The problem has the line's number and key; what came before it is forgotten."""
    answer = await client.post("/v1/jobs", content=as_lines(NOTES) + line.encode() + b"\n", headers=LINES)
    problem = answer.json()
    assert (answer.status_code, problem["line"], problem.get("key")) == (400, 3, key)
    assert answer.headers["content-type"] == "application/problem+json"
    assert await jobs.all() == []


async def test_bytes_that_are_not_utf8_are_named_by_line(client: httpx.AsyncClient) -> None:
    """A GB18030 file is refused at its first line, without its text in the answer."""
    answer = await client.post("/v1/jobs", content=as_lines(NOTES).decode().encode("gb18030"), headers=LINES)
    assert (answer.status_code, answer.json()["line"]) == (400, 1)
    assert "咳嗽" not in answer.text


async def test_one_job_for_a_key(client: httpx.AsyncClient) -> None:
    """The same Idempotency-Key gives the same job; with other options it is refused."""
    headers = {"Idempotency-Key": "night-1"}
    first, again = [(await client.post("/v1/jobs", json={"documents": NOTES}, headers=headers)).json() for _ in "ab"]
    assert (first["created"], again["created"], first["id"]) == (True, False, again["id"])
    other = await client.post("/v1/jobs", json={"documents": NOTES, "judge": "best-tagger"}, headers=headers)
    assert (other.status_code, other.json()["job"]) == (409, first["id"])


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"labels": "nowhere"}, 409, "cmeee-v2"),
        ({"labels": "../x.toml"}, 422, "labels"),
        ({"taggers": "../runs/adapter"}, 409, "taggers"),
        ({"taggers": ["html:full", "nobody"]}, 409, "nobody"),
        ({"filter": "tests"}, 409, "filter"),
        ({"filter": "llm-causal:2"}, 409, "threshold"),
        ({"judge": "openai:gpt"}, 409, "judge"),
        ({"preset": "nowhere"}, 409, "preset"),
        ({"results": "out"}, 422, "unknown key"),
        ({"documents": []}, 422, "documents"),
        ({"documents": [NOTES[0], NOTES[0]]}, 409, "one id"),
        ({"priority": "now"}, 422, "priority"),
        ({"keep_days": "7"}, 422, "keep_days"),
    ],
)
async def test_an_option_that_cannot_be_used_is_named(
    client: httpx.AsyncClient, change: dict[str, Any], status: int, said: str
) -> None:
    """Options are names of what there is, never a path or an address; the problem says which and why.

    422: it is not as the description says; 409: it is, and does not fit what this server has.
    """
    answer = await client.post("/v1/jobs", json={"documents": NOTES, **change})
    assert answer.status_code == status
    assert said in answer.text


async def test_what_is_too_large_is_refused_with_the_way_out(serving: Serving) -> None:
    """Bodies, texts and lines have limits; the answer says them."""
    async with serving(limits=Limits(body_bytes=2_000, stream_bytes=5_000, text_chars=100)) as client:
        text = await client.post("/v1/jobs", json={"documents": [{"id": "a", "text": "咳" * 101}]})
        body = await client.post("/v1/jobs", json={"documents": [{"id": "a", "text": "咳" * 3_000}]})
        line = await client.post("/v1/jobs", content=as_lines([{"id": "a", "text": "咳" * 101}]), headers=LINES)
        stream = await client.post("/v1/jobs", content=as_lines(NOTES) * 200, headers=LINES)
    assert [one.status_code for one in (text, body, line, stream)] == [413] * 4
    assert "101" in text.json()["detail"]
    assert "x-ndjson" in body.json()["detail"]
    assert line.json()["line"] == 1


async def test_a_long_body_without_a_stated_length_ends_at_the_limit(serving: Serving) -> None:
    """A chunked body is counted while it comes."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 1_000

    async with serving(limits=Limits(body_bytes=20_000)) as client:
        with suppress(httpx.TransportError):  # the connection may end while the body is still being sent
            answer = await client.post("/v1/jobs", content=endless(), headers={"Content-Type": "application/json"})
            assert answer.status_code == 413
        assert (await client.get("/health")).status_code == 200


async def test_a_body_that_does_not_come_is_given_up(serving: Serving, jobs: Jobs) -> None:
    """A client that falls silent in the middle is answered 408, and no job stays."""

    async def silent() -> AsyncIterator[bytes]:
        yield as_lines(NOTES)
        await asyncio.sleep(3)

    async with serving(limits=Limits(idle_s=0.3)) as client:
        answer = await client.post("/v1/jobs", content=silent(), headers=LINES)
    assert answer.status_code == 408
    assert await jobs.all() == []


async def test_a_kind_of_body_that_is_not_read(client: httpx.AsyncClient) -> None:
    """Plain text is refused with the kinds that are read."""
    answer = await client.post("/v1/jobs", content=b"x", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert "application/x-ndjson" in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("POST", "/replay"),
        ("GET", "/results"),
        ("GET", "/events"),
        ("GET", "/dead"),
    ],
)
async def test_an_unknown_job_is_404_everywhere(client: httpx.AsyncClient, method: str, path: str) -> None:
    """Every request about a job says plainly that there is none."""
    answer = await client.request(method, f"/v1/jobs/20260101-000000-abcdef{path}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:medner:problem:unknown-job")


async def test_cancel_replay_and_delete(client: httpx.AsyncClient, working: Any) -> None:
    """A queued job is cancelled, cannot be deleted before, is done by a replay, and is then forgotten."""
    job = (await client.post("/v1/jobs", json={"documents": NOTES})).json()["id"]
    assert (await client.delete(f"/v1/jobs/{job}")).status_code == 409
    assert (await client.post(f"/v1/jobs/{job}/replay")).status_code == 409
    assert (await client.post(f"/v1/jobs/{job}/cancel")).json()["state"] == "cancelled"
    assert (await client.post(f"/v1/jobs/{job}/replay")).json()["sentences"] == 3
    async with working():
        assert (await until_end(client, job))["state"] == "completed"
    assert (await client.delete(f"/v1/jobs/{job}")).status_code == 204
    assert (await client.get(f"/v1/jobs/{job}")).status_code == 404
    assert (await client.get("/v1/jobs")).json()["jobs"] == []


async def test_given_up_sentences_are_listed(client: httpx.AsyncClient, jobs: Jobs, working: Any) -> None:
    """A sentence that no attempt could do is a dead letter; the job says so."""
    given = [Document("丙", f"{RAISES}在此。好转。")]
    async with working():
        job = (await jobs.submit(spec(attempts=1), given)).id
        assert (await until_end(client, job))["state"] == "completed_with_errors"
    (letter,) = (await client.get(f"/v1/jobs/{job}/dead")).json()["dead"]
    assert (letter["document"], letter["sentence"], letter["attempts"]) == ("丙", "丙#0", 1)


async def test_the_list_has_the_newest_first_and_the_workers(client: httpx.AsyncClient, working: Any) -> None:
    """`limit` cuts the list; the total and the workers are said."""
    ids = [(await client.post("/v1/jobs", json={"documents": NOTES, "name": name})).json()["id"] for name in "ab"]
    async with working():
        for job in ids:
            await until_end(client, job)
        found = (await client.get("/v1/jobs", params={"limit": 1})).json()
    assert (len(found["jobs"]), found["total"], len(found["workers"])) == (1, 2, 1)
    assert found["jobs"][0]["id"] in ids


async def test_label_sets_are_described(client: httpx.AsyncClient) -> None:
    """The types with their names and definitions, and the taggers that may be named."""
    found = (await client.get("/v1/labels")).json()
    assert found["default"] == "cmeee-v2"
    assert [one["name"] for one in found["labels"]] == ["cmeee-v2", "ccks2019"]
    assert {"code": "bod", "name": "身体"}.items() <= found["labels"][0]["types"][5].items() or found["labels"][0][
        "types"
    ]
