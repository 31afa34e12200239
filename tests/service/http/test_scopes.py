"""What a key may do, and who did what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from medner.core.errors import UserError
from medner.service.http.access.audit import AuditLog, audit_log
from medner.service.http.access.callers import Access
from medner.service.http.access.keys import KeyFile, KeyRing
from medner.service.http.messages.audit import AuditEntry
from medner.service.http.openapi import description
from medner.service.http.routes import ROUTES
from medner.service.http.scopes import ALL, Scope, granted, scopes_in
from tests.service.http.conftest import Serving
from tests.service.http.disputes import disputed, sentence_path

NOTE = {"documents": [{"id": "甲", "text": "患者咳嗽三天。"}]}


@asynccontextmanager
async def keyed(serving: Serving, folder: Path, **names: str) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """A client for each name, with a key of the scopes that are said."""
    file = KeyFile(folder / "api-keys.json")
    keys = {name: file.add(name, scopes_in(scopes)) for name, scopes in names.items()}
    async with serving(access=Access(KeyRing(file))) as client:
        clients = {
            name: httpx.AsyncClient(
                base_url=client.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=client.timeout
            )
            for name, key in keys.items()
        }
        try:
            yield clients
        finally:
            for one in clients.values():
                await one.aclose()


def test_scopes_bring_reading_and_admin_brings_all() -> None:
    """Nothing brings nothing; a word that is none is told."""
    assert granted(()) == frozenset()
    assert granted((Scope.REVIEW,)) == {Scope.READ, Scope.REVIEW}
    assert granted((Scope.ADMIN,)) == ALL
    with pytest.raises(UserError, match="there is no scope 'write'"):
        scopes_in("read,write")


def test_a_key_of_before_may_do_everything(tmp_path: Path) -> None:
    """A file that knows no scopes is read, and its keys have all of them."""
    file = KeyFile(tmp_path / "api-keys.json")
    key = file.add("old", (Scope.READ,))
    data = json.loads(file.path.read_text("utf-8"))
    del data["keys"][0]["scopes"]
    file.path.write_text(json.dumps(data), "utf-8")
    caller = Access(KeyRing(file)).caller(httpx_headers(key))
    assert caller is not None
    assert caller.scopes == ALL


def httpx_headers(key: str) -> Any:
    """A request's headers with a key."""
    from starlette.datastructures import Headers

    return Headers({"authorization": f"Bearer {key}"})


async def test_every_route_asks_for_its_scope(serving: Serving, tmp_path: Path) -> None:
    """A key without the scope is answered 403, which names the scope; nothing else happens."""
    async with keyed(serving, tmp_path, reader="read") as clients:
        reader = clients["reader"]
        for one in ROUTES:
            if one.open or one.scope is Scope.READ:
                continue
            path = one.described_path.format(
                id="j", run="r", sentence="s", conflict="c0", token="t", name="n", other="o", labels="l"
            )
            answer = await reader.request(one.method, path)
            assert answer.status_code == 403, (one.method, path)
            told = answer.json()
            assert (told["type"], told["scope"]) == ("urn:medner:problem:no-scope", one.scope.value)
        session = (await reader.get("/v1/session")).json()
        assert session == {"key_needed": True, "name": "reader", "scopes": ["read"]}
        for path in ("/v1/jobs", "/v1/traces", "/v1/judges", "/v1/models"):
            assert (await reader.get(path)).status_code == 200


async def test_each_scope_opens_what_is_its_own(serving: Serving, tmp_path: Path) -> None:
    """A submitter submits and cannot administer; a reviewer reviews and cannot submit; an admin does all."""
    async with keyed(serving, tmp_path, submitter="submit", reviewer="review", chief="admin") as clients:
        job = (await clients["submitter"].post("/v1/jobs", json=NOTE)).json()["id"]
        assert (await clients["reviewer"].post("/v1/jobs", json=NOTE)).status_code == 403
        assert (await clients["submitter"].get(f"/v1/jobs/{job}/review/progress")).status_code == 403
        assert (await clients["reviewer"].get(f"/v1/jobs/{job}/review/progress")).status_code == 200
        assert (await clients["submitter"].put("/v1/judges/vote", json={"judge": "hard-vote"})).status_code == 403
        assert (await clients["chief"].put("/v1/judges/vote", json={"judge": "hard-vote"})).status_code == 200
        assert (await clients["reviewer"].get("/v1/audit")).status_code == 403
        assert (await clients["chief"].post(f"/v1/jobs/{job}/cancel")).status_code == 200


async def test_the_audit_log_says_who_did_what_and_no_text(serving: Serving, working: Any, tmp_path: Path) -> None:
    """A line each for submits, swaps, decisions, deletions and refusals; no text, no document's id, for its owner."""
    async with keyed(serving, tmp_path, li="review", chief="admin") as clients:
        chief, li = clients["chief"], clients["li"]
        async with disputed(chief, working, 1) as job:
            await li.post(sentence_path(job, "病历0#0", "/conflicts/c0/overrule"), json={"keep": [1], "why": "边界"})
            await li.post("/v1/jobs", json=NOTE)
            await chief.put("/v1/judges/vote", json={"judge": "hard-vote"})
            await chief.post("/v1/judges/vote/use", json={"why": "秘密"})
            await chief.delete(f"/v1/jobs/{job}")
        page = (await chief.get("/v1/audit")).json()
        first = (await chief.get("/v1/audit", params={"limit": 2})).json()
        rest = (await chief.get("/v1/audit", params={"cursor": first["next"]})).json()
    assert [(one["who"], one["what"], one["outcome"]) for one in page["entries"]] == [
        ("chief", "delete-job", "done"),
        ("chief", "use-judge", "done"),
        ("chief", "define-judge", "done"),
        ("li", "submit", "no-scope"),
        ("li", "overrule", "done"),
        ("chief", "submit", "done"),
    ]
    assert page["entries"][0]["on"] == job
    assert [*first["entries"], *rest["entries"]] == page["entries"]
    log = audit_log().path
    text = log.read_text("utf-8")
    for secret in ("咳嗽", "病历", "边界", "秘密", "medner_"):
        assert secret not in text
    assert log.stat().st_mode & 0o077 == 0


def test_the_log_is_read_from_its_end_across_blocks(tmp_path: Path) -> None:
    """Pages of a log of many blocks are the whole, the newest first; a torn line is left out."""
    from datetime import UTC, datetime

    log = AuditLog(tmp_path / "audit.jsonl")
    assert log.page(10).entries == ()
    for number in range(900):
        log.append(AuditEntry(at=datetime.now(UTC), who="a" * 100, what="submit", on=str(number), outcome="done"))
    with log.path.open("ab") as file:
        file.write(b'{"at": "broken\n')
    found: list[str] = []
    before: int | None = None
    while True:
        page = log.page(70, before)
        found += [one.on for one in page.entries]
        if (before := page.next) is None:
            break
    assert found == [str(number) for number in reversed(range(900))]


async def test_a_log_that_cannot_be_written_is_told_to_the_operator(
    serving: Serving, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was done stays done, and the server's log has an error."""
    await asyncio.to_thread((tmp_path / "folder").mkdir)
    async with serving(audit=AuditLog(tmp_path / "folder")) as client:
        assert (await client.post("/v1/jobs", json=NOTE)).status_code == 202
    assert any("audit log cannot be written" in record.message for record in caplog.records)


def test_the_description_says_which_scope_is_needed() -> None:
    """Of each operation that needs a key; without keys nothing asks for one."""
    operation = description(keys=True)["paths"]["/v1/audit"]["get"]
    assert operation["description"] == "Needs a key with the scope admin."
    assert description(keys=False)["security"] == []
