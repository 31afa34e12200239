"""Traces over HTTP: shown, forked, compared, overruled, exported, removed."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.service.http.disputes import disputed, entities, sentence_path

OVERRULE = "/conflicts/c0/overrule"


async def test_a_sentence_shows_its_whole_path(client: httpx.AsyncClient, working: Any) -> None:
    """Steps with their times, every tagger's answer, the candidates, the conflict with its verdict."""
    async with disputed(client, working) as job:
        found = (await client.get(sentence_path(job, "病历1#2"))).json()
    assert (found["run"], found["document"], found["offset"]) == (job, "病历1", 20)
    assert [one["node"] for one in found["steps"]] == [
        "tag:html-full",
        "tag:json-plain",
        "filter",
        "detect_conflicts",
        "judge",
        "merge",
    ]
    assert all(one["milliseconds"] is not None for one in found["steps"])
    assert [one["entities"][0]["text"] for one in found["answers"]] == ["咳嗽", "天咳嗽"]
    (conflict,) = found["conflicts"]
    assert [(one["text"], one["taggers"]) for one in conflict["candidates"]] == [
        ("天咳嗽", ["json-plain"]),
        ("咳嗽", ["html-full"]),
    ]
    assert conflict["verdict"]["judge"] == "hard-vote"
    text = found["text"]
    assert all(text[one["start"] : one["end"]] == one["text"] for one in found["candidates"])


async def test_lists_go_on_by_cursor(client: httpx.AsyncClient, working: Any) -> None:
    """Pages of runs and sentences, put together, are the whole list once."""
    async with disputed(client, working, 2) as job:
        await client.post(f"/v1/traces/{job}/fork", json={"judge": "hard-vote"})
        whole = (await client.get("/v1/traces")).json()["runs"]
        first = (await client.get("/v1/traces", params={"limit": 1})).json()
        second = (await client.get("/v1/traces", params={"limit": 1, "cursor": first["next"]})).json()
        assert [*first["runs"], *second["runs"]] == whole
        assert second["next"] is None
        found: list[str] = []
        cursor = None
        while True:
            query = {"limit": "3", **({"cursor": cursor} if cursor else {})}
            page = (await client.get(f"/v1/traces/{job}/sentences", params=query)).json()
            found += [one["sentence"] for one in page["sentences"]]
            if (cursor := page["next"]) is None:
                break
    assert sorted(found) == sorted(f"病历{note}#{at}" for note in range(2) for at in range(4))
    for path in ("/v1/traces", f"/v1/traces/{job}/sentences", "/v1/jobs", f"/v1/jobs/{job}/documents", "/v1/audit"):
        assert (await client.get(path, params={"cursor": "nonsense"})).status_code == 422, path


async def test_a_fork_is_compared_with_its_origin(client: httpx.AsyncClient, working: Any) -> None:
    """Another judge settles all, a sample or one; the difference is counted, and scored where gold is given."""
    async with disputed(client, working) as job:
        fork = await client.post(f"/v1/traces/{job}/fork", json={"judge": "best-tagger:json-plain"})
        assert fork.status_code == 201
        run = fork.json()["run"]
        assert fork.json() == {"run": run, "decided": 8, "changed": 8}
        some = (await client.post(f"/v1/traces/{job}/fork", json={"judge": "hard-vote", "sample": 3})).json()
        assert (some["decided"], some["changed"]) == (3, 0)
        one = {"judge": "best-tagger", "sentences": ["病历0#1"]}
        single = (await client.post(f"/v1/traces/{job}/fork", json=one)).json()
        assert single["decided"] == 1
        difference = (await client.get(f"/v1/traces/{job}/diff/{run}")).json()
        assert (difference["conflicts"], difference["changed_conflicts"], difference["gained"]) == (8, 8, {"sym": 8})
        assert difference["score"] is None
        text = (await client.get(f"/v1/jobs/{job}/documents")).json()["documents"][0]["text"]
        gold = {"id": "病历0", "text": text, "entities": []}
        refused = await client.post(f"/v1/traces/{job}/diff/{run}", json={"documents": [gold]})
        assert refused.status_code == 409
        notes = (await client.get(f"/v1/jobs/{job}/documents")).json()["documents"]
        right = [{"start": at, "end": at + 3, "label": "sym"} for at in (5, 15, 25, 35)]
        gold_notes = [{"id": note["id"], "text": note["text"], "entities": right} for note in notes]
        scored = await client.post(f"/v1/traces/{job}/diff/{run}", json={"documents": gold_notes, "resamples": 100})
        assert scored.json()["score"]["b"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
        assert {run, some["run"], single["run"]} == set((await client.get(f"/v1/traces/{job}")).json()["forks"])
        path = (await client.get(sentence_path(job, "病历0#1"))).json()
        assert single["run"] in path["forks"]


async def test_a_persons_word_wins_everywhere_and_can_be_taken_back(client: httpx.AsyncClient, working: Any) -> None:
    """In the trace, in the job's results and documents, in the export; afterwards the judge's verdict holds again."""
    async with disputed(client, working) as job:
        assert await entities(client, job) == {"病历0": [], "病历1": []}
        path = sentence_path(job, "病历0#1", OVERRULE)
        body = {"keep": [2], "add": [{"start": 0, "end": 2, "label": "bod"}], "why": "边界", "by": "李医生"}
        decided = await client.post(path, json=body)
        assert decided.status_code == 200
        verdict = decided.json()["verdict"]
        assert (verdict["kept"], verdict["overruled"]["by"], verdict["overruled"]["judge_kept"]) == ([2], "李医生", [])
        assert await entities(client, job) == {"病历0": ["患者", "咳嗽"], "病历1": []}
        found = (await client.get(f"/v1/jobs/{job}/documents", params={"only": "overruled"})).json()["documents"]
        assert [(one["text"], one["start"], one["decision"]) for one in found[0]["entities"]] == [
            ("患者", 10, "human"),
            ("咳嗽", 16, "human"),
        ]
        assert (await client.get(f"/v1/jobs/{job}/agreement")).json()["overruled"] == 1
        lines = (await client.get(f"/v1/traces/{job}/export", params={"decisions": "true"})).text.splitlines()
        assert [one["right"] for one in json.loads(lines[0])["candidates"]] == [False, True]
        assert len(lines) == 1
        back = await client.delete(path)
        assert (back.status_code, back.json()["verdict"]["overruled"]) == (200, None)
        assert await entities(client, job) == {"病历0": [], "病历1": []}
        again = await client.delete(path)
        assert (again.status_code, again.json()["type"]) == (409, "urn:medner:problem:wrong-state")


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"keep": [3], "why": "x"}, 409, "candidates 1 to 2"),
        ({"keep": [], "add": [{"start": 0, "end": 99, "label": "sym"}], "why": "x"}, 409, "outside the sentence"),
        ({"keep": [], "add": [{"start": 3, "end": 3, "label": "sym"}], "why": "x"}, 409, "start < end"),
        ({"keep": [], "add": [{"start": 0, "end": 1, "label": "nix"}], "why": "x"}, 409, "no type 'nix'"),
        ({"keep": [1], "why": " "}, 409, "reason"),
        ({"keep": ["1"], "why": "x"}, 422, "keep"),
        ({"keep": [1]}, 422, "why"),
    ],
)
async def test_wrong_decisions_change_nothing(
    client: httpx.AsyncClient, working: Any, body: dict[str, Any], status: int, said: str
) -> None:
    """A decision that cannot be says why."""
    async with disputed(client, working, 1) as job:
        refused = await client.post(sentence_path(job, "病历0#0", OVERRULE), json=body)
        assert refused.status_code == status
        assert said in refused.json()["detail"] + str(refused.json().get("key"))
        assert await entities(client, job) == {"病历0": []}


async def test_runs_are_removed_for_good(client: httpx.AsyncClient, working: Any) -> None:
    """With the forks named that still hold the sentences; afterwards there is no such run."""
    async with disputed(client, working, 1) as job:
        fork = (await client.post(f"/v1/traces/{job}/fork", json={"judge": "hard-vote"})).json()["run"]
        assert (await client.delete(f"/v1/traces/{job}")).json() == {"removed": 4, "forks": [fork]}
        for path in (f"/v1/traces/{job}", sentence_path(job, "病历0#0"), f"/v1/traces/{job}/export"):
            missing = await client.get(path)
            assert (missing.status_code, missing.json()["type"]) == (404, "urn:medner:problem:unknown-run")
        other = await client.get(sentence_path(fork, "nowhere#0"))
        assert (other.status_code, other.json()["type"]) == (404, "urn:medner:problem:unknown-sentence")


async def test_a_judge_that_cannot_be_built_here_says_so(client: httpx.AsyncClient, working: Any) -> None:
    """A model that is not on the server's machine, a judge that nobody defined, one that clients may not name."""
    async with disputed(client, working, 1) as job:
        for judge, said in (("select", "medner models pull"), ("@nobody", "no judge"), ("rewrite", "is none")):
            refused = await client.post(f"/v1/traces/{job}/fork", json={"judge": judge})
            assert refused.status_code == 409, judge
            assert said in refused.json()["detail"]
        assert len((await client.get("/v1/traces")).json()["runs"]) == 1


async def test_without_traces_lists_are_empty(client: httpx.AsyncClient) -> None:
    """Where nothing was ever recorded."""
    assert (await client.get("/v1/traces")).json() == {"runs": [], "next": None}
    assert (await client.get("/v1/traces/none")).status_code == 404
