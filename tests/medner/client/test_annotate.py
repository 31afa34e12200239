"""Texts annotated by a server: the documents that the local front door gives."""

from __future__ import annotations

import asyncio

import httpx
import pytest

import medner
from tests.medner.client.conftest import Ward

TEXT = "患者咳嗽三天，行心电图检查。"


async def test_one_text(ward: Ward) -> None:
    """Entities with names and reasons, conflicts with every candidate; the same for both clients."""
    async with ward.connected() as server:
        document = await server.annotate(TEXT, id="note")
        assert (document.id, document.text, document.complete) == ("note", TEXT, True)
        (cough,) = document.entities
        assert (cough.text, cough.label, cough.label_name, cough.decision) == ("咳嗽", "sym", "临床表现", "agreed")
        (conflict,) = document.conflicts
        assert (conflict.text, conflict.judge) == ("心电图", "hard-vote")
        assert [(one.text, one.label_name, one.kept) for one in conflict.candidates] == [("心电图", "医疗程序", False)]
        assert document.to_dict()["sentences"][0]["outputs"]
        assert "心电图" in document.to_html()

    def story(server: medner.Server) -> medner.Document:
        return server.annotate(TEXT, id="note")

    again = await ward.asked(story)
    assert (again.entities, again.conflicts) == (document.entities, document.conflicts)


async def test_a_stream_of_texts(ward: Ward) -> None:
    """A document a text, in order, whatever their ids; a blank one has no entities; an async source works."""
    texts: list[str | medner.Document] = [
        "患者咳嗽。",
        " ",
        medner.Document("a", "既往高血压。"),
        medner.Document("a", "胸痛。"),
        "好转。",
    ]

    def story(server: medner.Server) -> list[medner.Document]:
        return list(server.pipe(texts, ahead=3))

    found = await ward.asked(story)
    assert [one.id for one in found] == ["text-1", "text-2", "a", "a", "text-5"]
    assert [[entity.text for entity in one.entities] for one in found] == [["咳嗽"], [], ["高血压"], ["胸痛"], []]

    async def coming() -> object:
        for text in texts:
            await asyncio.sleep(0)
            yield text

    async with ward.connected() as server:
        assert [one.entities async for one in server.pipe(coming())] == [one.entities for one in found]  # type: ignore[arg-type]
        with pytest.raises(medner.UserError, match="for one: annotate"):
            [one async for one in server.pipe("胸痛。")]
        both = await asyncio.gather(server.annotate("咳嗽。"), server.annotate("胸痛。"))
        assert [one.entities[0].text for one in both] == ["咳嗽", "胸痛"]


async def test_settings_and_what_cannot_be_annotated(ward: Ward) -> None:
    """A judge and taggers by name; a wrong one is said by the server, a blank text here."""
    async with ward.connected() as server:
        document = await server.annotate(TEXT, judge="best-tagger:json-plain", taggers=["html:full", "json:plain"])
        assert {one.text for one in document.entities} == {"咳嗽", "心电图"}
        assert set(await server.label_sets()) >= {"cmeee-v2", "ccks2019"}
        for text in ("", " \n"):
            with pytest.raises(medner.UserError, match="nothing to annotate"):
                await server.annotate(text)
        with pytest.raises(medner.RefusedError, match="no label set 'icd'"):
            await server.annotate(TEXT, "icd")
        with pytest.raises(medner.UserError, match="judge: must be a name"):
            await server.annotate(TEXT, judge={"kind": "hard-vote"})  # type: ignore[arg-type]
        with pytest.raises(medner.RefusedError, match="characters"):
            await server.annotate("胸" * 200_001)


async def test_a_text_that_takes_too_long(client: httpx.AsyncClient) -> None:
    """Nobody waits longer than asked; the job goes on and is named."""
    async with medner.connect_async(str(client.base_url)) as server:
        with pytest.raises(medner.ExternalError, match=r"job \S+ has not ended within 0.1 s and goes on") as caught:
            await server.annotate(TEXT, wait_s=0.1)
        job = str(caught.value).split()[1]
        assert (await server.jobs.show(job)).state == "queued"
