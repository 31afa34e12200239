"""Texts in, entities out, in one request."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.judges_kit import opened
from tests.service.http.conftest import until_end

TEXT = "患者第3天咳嗽。好转。"


async def test_a_text_comes_back_with_entities_scores_decisions_and_conflicts(
    client: httpx.AsyncClient, working: Any
) -> None:
    """At once, under a job of the highest priority whose traces have the conflict."""
    async with working(opened):
        answer = await client.post("/v1/annotate", json={"text": TEXT, "judge": "best-tagger:html-full"})
        assert answer.status_code == 200
        job = answer.json()["job"]
        assert (await client.get(f"/v1/jobs/{job}")).json()["priority"] == "high"
    (document,) = answer.json()["documents"]
    (entity,) = document["entities"]
    assert entity == {
        "start": 5,
        "end": 7,
        "label": "sym",
        "text": "咳嗽",
        "score": None,
        "decision": "judged",
        "taggers": ["html-full"],
        "sentence": "text#0",
        "conflict": "c0",
    }
    (conflict,) = document["conflicts"]
    assert (conflict["verdict"]["judge"], conflict["verdict"]["kept"]) == ("best-tagger:html-full", [2])
    assert (await client.get(f"/v1/traces/{job}")).json()["conflicts"] == 1


async def test_documents_keep_their_ids_and_offsets(client: httpx.AsyncClient, working: Any) -> None:
    """Several texts at once; each conflict stands at its place in the document."""
    notes = [{"id": f"n{number}", "text": "好转。" * number + TEXT} for number in range(3)]
    async with working(opened):
        found = (await client.post("/v1/annotate", json={"documents": notes})).json()["documents"]
    assert [one["id"] for one in found] == ["n0", "n1", "n2"]
    for one, note in zip(found, notes, strict=True):
        (conflict,) = one["conflicts"]
        assert note["text"][conflict["start"] : conflict["end"]] == conflict["text"] == "天咳嗽"


async def test_what_takes_longer_goes_on_as_a_job(client: httpx.AsyncClient, working: Any) -> None:
    """202 with the job, its place and why it waits; the job ends when a worker comes."""
    later = await client.post("/v1/annotate", json={"text": TEXT, "wait_s": 0.1})
    assert later.status_code == 202
    told = later.json()
    assert (told["position"], later.headers["location"]) == (0, f"/v1/jobs/{told['job']}")
    assert "no worker" in told["remarks"][0]
    behind = (await client.post("/v1/annotate", json={"text": TEXT, "wait_s": 0})).json()
    assert behind["position"] == 1
    async with working(opened):
        assert (await until_end(client, told["job"]))["state"] == "completed"


async def test_many_wait_at_once(client: httpx.AsyncClient, working: Any) -> None:
    """Each gets its own answer."""
    async with working(opened):
        asked = [client.post("/v1/annotate", json={"documents": [{"id": f"n{n}", "text": TEXT}]}) for n in range(20)]
        found = await asyncio.gather(*asked)
    assert [one.json()["documents"][0]["id"] for one in found] == [f"n{number}" for number in range(20)]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"text": TEXT, "documents": [{"id": "a", "text": TEXT}]}, 422),
        ({"text": None}, 422),
        ({"text": ""}, 422),
        ({"text": TEXT, "wait_s": 61}, 422),
        ({"text": TEXT, "judge": "nobody"}, 409),
        ({"documents": [{"id": "a", "text": TEXT}] * 2}, 409),
    ],
)
async def test_what_cannot_be_annotated_makes_no_job(
    client: httpx.AsyncClient, body: dict[str, Any], status: int
) -> None:
    """A wrong request is refused before anything is queued."""
    assert (await client.post("/v1/annotate", json=body)).status_code == status
    assert (await client.get("/v1/jobs")).json()["total"] == 0
