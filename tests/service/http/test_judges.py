"""Judges over HTTP: defined, tested, put in place while jobs run, brought back; and what jobs can be made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from medner.agents.engines.scripted import ScriptedEngine
from tests.judges_kit import opened
from tests.service.http.conftest import Serving, until, until_end

NOTE = {"documents": [{"id": "a", "text": "患者第3天咳嗽。"}], "judge_follow": "latest"}


async def test_a_judge_is_defined_tested_used_and_brought_back(client: httpx.AsyncClient, working: Any) -> None:
    """Every use is a version; jobs that follow are decided by the one in place, and workers say what they hold."""
    async with working(opened):
        table = {"kind": "best-tagger", "tagger": "json-plain"}
        for name, judge in (("html", "best-tagger:html-full"), ("json", table)):
            kept = await client.put(f"/v1/judges/{name}", json={"judge": judge})
            assert (kept.status_code, kept.json()["revision"]) == (200, 1)
            tested = (await client.post(f"/v1/judges/{name}/test")).json()
            assert (tested["passed"], len(tested["cases"])) == (True, 4)
        assert (await client.get("/v1/judges")).json()["in_place"] is None
        verdicts = []
        for path, body in (
            ("html/use", {"why": "Grenzen"}),
            ("json/use", {}),
            ("back", {"version": 1, "why": "zurück"}),
        ):
            put = await client.post(f"/v1/judges/{path}", json=body)
            assert put.status_code == 200
            job = (await client.post("/v1/jobs", json=NOTE)).json()["id"]
            await until_end(client, job)
            (document,) = (await client.get(f"/v1/jobs/{job}/documents")).json()["documents"]
            verdict = document["conflicts"][0]["verdict"]
            verdicts.append((verdict["judge"], verdict["version"], verdict["kept"]))
        assert verdicts == [("html", "1", [2]), ("json", "2", [1]), ("html", "3", [2])]

        async def all_hold() -> bool:
            held = (await client.get("/v1/judges")).json()["workers"]
            return [(one["version"], one["changed"]) for one in held] == [(3, True)]

        await until(all_hold)
        listed = (await client.get("/v1/judges")).json()
        assert (listed["in_place"]["version"], listed["in_place"]["back_to"]) == (3, 1)
        first = (await client.get("/v1/judges/history", params={"limit": 2})).json()
        rest = (await client.get("/v1/judges/history", params={"cursor": first["next"]})).json()
        assert [one["version"] for one in (*first["versions"], *rest["versions"])] == [3, 2, 1]
        used = await client.delete("/v1/judges/html")
        assert (used.status_code, used.json()["type"]) == (409, "urn:medner:problem:wrong-state")
        assert (await client.delete("/v1/judges/json")).status_code == 204


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        ("nobody", "nobody"),
        ({"kind": "select", "model": "openai:x", "template": "/etc/passwd"}, "template"),
        ({"kind": "trained", "adapter": "/srv/secret"}, "adapter"),
        ({"kind": "best-tagger", "fallback": [{"kind": "trained", "adapter": "/srv/secret"}]}, "adapter"),
        ({"kind": "select", "model": "openai:x", "options": {"api_key": "s"}}, "secret"),
        ({"kind": "select", "base": "/srv/model"}, "base"),
        ({"kind": "evidence", "source": "/srv/secret"}, "source"),
        ({"kind": "evidence", "lexicon": "/srv/secret.npz"}, "lexicon"),
        ({"kind": "trained", "adapter": "medner:models/../../secret"}, "adapter"),
        ({"kind": "hard-vote", "colour": "red"}, "colour"),
    ],
)
async def test_no_definition_reads_a_file_of_the_server(client: httpx.AsyncClient, judge: Any, said: str) -> None:
    """What would name a file, and what is no judge, is refused with the reason, and nothing is kept."""
    refused = await client.put("/v1/judges/x", json={"judge": judge})
    assert refused.status_code == 409
    assert said in refused.json()["detail"] + str(refused.json().get("key"))
    assert (await client.get("/v1/judges")).json()["judges"] == []


async def test_a_password_of_an_address_is_shown_to_nobody(client: httpx.AsyncClient) -> None:
    """The definition goes out without it, and with the host that sentences would be sent to."""
    judge = {"kind": "select", "model": "openai:x", "url": "http://me:geheim@example.org/v1"}
    kept = await client.put("/v1/judges/far", json={"judge": judge})
    assert kept.json()["goes_out_to"] == ["example.org"]
    assert "geheim" not in kept.text + (await client.get("/v1/judges")).text


async def test_a_judge_that_fails_its_test_is_not_put_in_place(serving: Serving) -> None:
    """The answers say what is wrong; with force it is put in place all the same."""
    async with serving(engine_factory=lambda _: ScriptedEngine(lambda _: "ich weiß nicht")) as client:
        await client.put("/v1/judges/confused", json={"judge": "select"})
        refused = await client.post("/v1/judges/confused/use")
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:medner:problem:judge-test-failed")
        assert not any(one["usable"] for one in refused.json()["test"]["cases"])
        forced = (await client.post("/v1/judges/confused/use", json={"force": True})).json()
        assert (forced["version"], forced["forced"]) == (1, True)


async def test_paths_beside_the_names_are_no_names(client: httpx.AsyncClient) -> None:
    """`back` and `history` are paths; a judge cannot be called so. An unknown judge is 404."""
    for name in ("back", "history"):
        refused = await client.put(f"/v1/judges/{name}", json={"judge": "hard-vote"})
        assert refused.status_code == 405
    assert (await client.options("/v1/judges/back")).headers["allow"] == "POST"
    for path in ("none/test", "none/use"):
        assert (await client.post(f"/v1/judges/{path}")).json()["type"] == "urn:medner:problem:unknown-judge"
    assert (await client.post("/v1/judges/back", json={"version": 9})).status_code == 404


async def test_models_says_what_jobs_can_be_made_of(client: httpx.AsyncClient) -> None:
    """Label sets, the shipped taggers with their cards, kinds of judges, bases; no folder of the server."""
    found = (await client.get("/v1/models")).json()
    assert {"cmeee-v2", "ccks2019"} <= {one["name"] for one in found["label_sets"]}
    span = next(one for one in found["taggers"] if one["kind"] == "span" and one["labels"] == "cmeee-v2")
    assert "F1" in " ".join(span["scores"])
    assert span["card"].startswith("name =")
    assert {one["kind"] for one in found["judges"] if one["open"]} >= {"hard-vote", "best-tagger", "select"}
    (base,) = [one for one in found["bases"] if one["name"] == "qwen2.5-coder-0.5b-instruct"]
    assert base["present"] is False
    assert base["bytes"] > 0
    assert {"default"} <= {one["name"] for one in found["presets"]}
    assert str(Path(__file__).parents[3]) not in str({**found, "taggers": [], "filters": []})
