"""A job whose every sentence has a conflict, done by a worker that leaves traces."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

from tests.judges_kit import coughing, opened
from tests.service.http.conftest import until, until_end


@asynccontextmanager
async def disputed(client: httpx.AsyncClient, working: Any, notes: int = 2) -> AsyncIterator[str]:
    """The id of an ended job of notes with four disputed coughs each; the worker goes on while the block lasts."""
    documents = [{"id": one.id, "text": one.text} for one in coughing(notes)]
    async with working(opened):
        job = (await client.post("/v1/jobs", json={"documents": documents})).json()["id"]
        await until_end(client, job)

        async def traced() -> bool:
            run = await client.get(f"/v1/traces/{job}")
            return run.status_code == 200 and run.json()["sentences"] == 4 * notes

        await until(traced)
        yield job


def sentence_path(run: str, sentence: str, rest: str = "") -> str:
    """The path of a sentence of a run."""
    return f"/v1/traces/{run}/sentences/{quote(sentence, safe='')}{rest}"


async def entities(client: httpx.AsyncClient, job: str) -> dict[str, list[str]]:
    """The texts of the entities of each document, out of the results of a job."""
    lines = [one async for one in _lines(client, job)]
    return {one["id"]: [entity["text"] for entity in one["entities"]] for one in lines}


async def _lines(client: httpx.AsyncClient, job: str) -> AsyncIterator[dict[str, Any]]:
    for line in (await client.get(f"/v1/jobs/{job}/results")).text.splitlines():
        yield json.loads(line)
