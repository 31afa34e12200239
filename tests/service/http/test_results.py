"""A job's results in every format, as a stream, and its documents with filters."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from medner.core.labels import load_label_set
from medner.core.records import AnnotatedDocument, Document
from medner.service.http.jobs.results import _write_stream, _written
from medner.service.http.messages.requests import RESULT_FORMATS
from medner.store.corpora import FORMATS, read_documents
from medner.store.jobs import Jobs
from tests.jobs_kit import documents, spec
from tests.service.http.disputes import disputed, sentence_path

LABELS = load_label_set("cmeee-v2")


def test_every_format_that_convert_writes_is_offered() -> None:
    """Those of medner's own, then all that can be written."""
    writable = {name for name, one in FORMATS.items() if one.write_stream or one.write_folder}
    assert set(RESULT_FORMATS) == {"entities", "full", *writable}


@pytest.mark.parametrize("name", [name for name in RESULT_FORMATS if name not in ("entities", "full", "text")])
async def test_a_format_is_read_back_by_medner(
    client: httpx.AsyncClient, working: Any, tmp_path: Path, name: str
) -> None:
    """What comes over HTTP has the documents' texts and entities, a person's decision among them."""
    async with disputed(client, working, 2) as job:
        body = {"keep": [2], "why": "Grenze"}
        await client.post(sentence_path(job, "病历0#1", "/conflicts/c0/overrule"), json=body)
        answer = await client.get(f"/v1/jobs/{job}/results", params={"format": name})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="{job}.')
    if answer.headers["content-type"] == "application/zip":
        place = tmp_path / "read"
        zipfile.ZipFile(io.BytesIO(answer.content)).extractall(place)
    else:
        place = tmp_path / "read.json"
        place.write_bytes(answer.content)
    found = list(read_documents(place, format=name, labels=LABELS))
    texts = {one.text_in(each.text) for each in found for one in each.entities}
    assert texts == {"咳嗽"}
    assert sum(len(one.entities) for one in found) == 1
    assert "患者0第1天咳嗽" in "".join(one.text for one in found)


async def test_texts_come_as_files(client: httpx.AsyncClient, working: Any) -> None:
    """The format `text` is a file a document."""
    async with disputed(client, working, 2) as job:
        answer = await client.get(f"/v1/jobs/{job}/results", params={"format": "text"})
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert len(archive.namelist()) == 2


async def test_an_unknown_format_is_refused(client: httpx.AsyncClient, jobs: Jobs) -> None:
    """With the formats there are."""
    job = (await jobs.submit(spec(), documents(1))).id
    refused = await client.get(f"/v1/jobs/{job}/results", params={"format": "xml"})
    assert refused.status_code == 422
    assert "brat" in refused.json()["detail"]


@pytest.mark.parametrize("name", ["jsonl", "cmeee"])
async def test_a_reader_who_leaves_ends_the_writer(name: str) -> None:
    """A stream that is closed in the middle leaves no thread behind, and reads no further document."""
    given = 0

    async def endless() -> AsyncIterator[AnnotatedDocument]:
        nonlocal given
        while True:
            given += 1
            yield AnnotatedDocument(Document(f"n{given}", "咳嗽。" * 1_000), ())

    pieces = _written(endless(), name, LABELS, _write_stream)
    assert await anext(pieces)
    await asyncio.wait_for(pieces.aclose(), 20)
    before = given
    await asyncio.sleep(0.05)
    assert given == before


async def test_documents_are_filtered_and_paged(client: httpx.AsyncClient, working: Any) -> None:
    """By what happened in them, by type, by a pair of taggers, by id; page by page they are all there once."""
    async with disputed(client, working, 3) as job:

        async def ids(**query: Any) -> list[str]:
            page = (await client.get(f"/v1/jobs/{job}/documents", params=query)).json()
            return [one["id"] for one in page["documents"]]

        everything = ["病历0", "病历1", "病历2"]
        assert await ids() == await ids(only="conflicts") == await ids(label="sym") == everything
        assert await ids(taggers="json-plain,html-full") == everything
        assert await ids(taggers="json-plain,nobody") == everything  # one gave what the other did not
        assert await ids(document="病历1") == ["病历1"]
        for nothing in ({"only": "fallbacks"}, {"only": "abstained"}, {"only": "failures"}, {"label": "dis"}):
            assert await ids(**nothing) == []
        for refused in ({"taggers": "one"}, {"only": "everything"}, {"colour": "red"}):
            assert (await client.get(f"/v1/jobs/{job}/documents", params=refused)).status_code == 422
        found, cursor = [], None
        while True:
            query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await client.get(f"/v1/jobs/{job}/documents", params=query)).json()
            found += [one["id"] for one in page["documents"]]
            if (cursor := page["next"]) is None:
                break
        assert found == everything
        agreement = (await client.get(f"/v1/jobs/{job}/agreement")).json()
        assert agreement["pairs"] == [{"taggers": ["html-full", "json-plain"], "both": 0, "either": 24}]


async def test_jobs_are_listed_page_by_page_by_state_and_name(client: httpx.AsyncClient, jobs: Jobs) -> None:
    """The newest first; what comes in between the pages shifts nothing; filters are exact about state and beginning."""
    made = []
    for number in range(7):
        made.append((await jobs.submit(spec(name=f"ward-{number % 2}"), documents(1))).id)
        await asyncio.sleep(0.4 if number in (2, 4) else 0)
    await jobs.cancel(made[3])
    first = (await client.get("/v1/jobs", params={"limit": 4})).json()
    await jobs.submit(spec(name="late"), documents(1))
    rest = (await client.get("/v1/jobs", params={"limit": 10, "cursor": first["next"]})).json()
    found = [one["id"] for one in (*first["jobs"], *rest["jobs"])]
    assert sorted(found) == sorted(made)
    assert (first["total"], rest["total"], rest["next"]) == (7, 8, None)

    async def ids(**query: Any) -> set[str]:
        return {one["id"] for one in (await client.get("/v1/jobs", params=query)).json()["jobs"]}

    assert await ids(state="cancelled") == {made[3]}
    assert await ids(name="ward-1") == {made[1], made[3], made[5]}
    assert await ids(name="ward", state="queued") == set(made) - {made[3]}
    assert await ids(name="nobody") == set()
    page = (await client.get("/v1/jobs", params={"name": "ward", "limit": 3})).json()
    more = (await client.get("/v1/jobs", params={"name": "ward", "limit": 9, "cursor": page["next"]})).json()
    assert {one["id"] for one in (*page["jobs"], *more["jobs"])} == set(made)
