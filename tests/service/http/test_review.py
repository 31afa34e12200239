"""The review queue over HTTP: one conflict to one reviewer, decisions that reach the results."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from medner.core.records import Annotation, Candidate, Conflict, ConflictKind, Entity, Sentence, Span, Verdict
from medner.service.http.messages.problems import Problem
from medner.service.http.review.handlers import verdict_about
from medner.service.traces.naming import run_named
from medner.service.traces.overruling import Ruling, overrule
from medner.store.jobs.keys import job_key
from medner.store.redis.client import Client
from medner.store.traces import open_traces
from tests.service.http.conftest import Serving
from tests.service.http.disputes import disputed, entities
from tests.service.http.test_scopes import keyed


async def claimed(client: httpx.AsyncClient, job: str, **body: Any) -> dict[str, Any]:
    """A claim, which must be had."""
    answer = await client.post(f"/v1/jobs/{job}/review/claim", json=body)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_conflicts_come_one_by_one_until_none_is_left(client: httpx.AsyncClient, working: Any) -> None:
    """Each with all that the judge saw; decided, they are in the results, and the counts follow."""
    async with disputed(client, working) as job:
        before = (await client.get(f"/v1/jobs/{job}/review/progress")).json()
        assert (before["conflicts"], before["left"], before["doubt"]["total"]) == (8, 8, 8.0)
        assert before["decisions_for"] == [
            {"share": 0.5, "decisions": 4},
            {"share": 0.8, "decisions": 7},
            {"share": 0.95, "decisions": 8},
        ]
        for number in range(8):
            claim = await claimed(client, job)
            assert (claim["before"], claim["left"], claim["worth"]) == (number, 8 - number, 1.0)
            assert claim["conflict"]["sentence"] == claim["sentence"]
            assert claim["text"][claim["conflict"]["start"] : claim["conflict"]["end"]] == "天咳嗽"
            body = {"keep": [2], "why": "词边界"}
            decided = await client.post(f"/v1/review/claims/{claim['claim']}/decide", json=body)
            assert decided.json()["conflict"]["verdict"]["kept"] == [2]
        assert (await client.post(f"/v1/jobs/{job}/review/claim")).status_code == 204
        after = (await client.get(f"/v1/jobs/{job}/review/progress")).json()
        assert (after["decided"], after["left"], after["doubt"]["left"]) == (8, 0, 0.0)
        assert after["per_minute"] == 8.0
        assert await entities(client, job) == {f"病历{note}": ["咳嗽"] * 4 for note in range(2)}
        lines = (await client.get(f"/v1/traces/{job}/export", params={"decisions": "true"})).text.splitlines()
        assert len(lines) == 8


async def test_two_reviewers_never_get_the_same(serving: Serving, working: Any, tmp_path: Path) -> None:
    """Both at once, again and again: together they decide each conflict once, under their keys' names."""
    async with keyed(serving, tmp_path, li="review", wang="review", chief="admin") as clients:

        async def review(name: str, job: str, seen: list[str]) -> None:
            while (answer := await clients[name].post(f"/v1/jobs/{job}/review/claim")).status_code == 200:
                claim = answer.json()
                seen.append(claim["sentence"])
                path = f"/v1/review/claims/{claim['claim']}/decide"
                assert (await clients[name].post(path, json={"keep": [1]})).status_code == 200

        async with disputed(clients["chief"], working, 3) as job:
            seen: list[str] = []
            await asyncio.gather(review("li", job, seen), review("wang", job, seen))
            assert len(seen) == len(set(seen)) == 12
            entries = (await clients["chief"].get("/v1/audit")).json()["entries"]
            assert {one["who"] for one in entries if one["what"] == "overrule"} <= {"li", "wang"}
            # Another's key cannot act on a claim, and cannot sign for somebody else.
            await clients["li"].post(f"/v1/jobs/{job}/review/undo")
            claim = await claimed(clients["wang"], job)
            path = f"/v1/review/claims/{claim['claim']}"
            assert (await clients["li"].post(f"{path}/decide", json={"keep": [1]})).status_code == 404
            assert (await clients["wang"].post(f"{path}/decide", json={"keep": [], "by": "li"})).status_code == 409


async def test_a_decision_that_comes_late_says_so(client: httpx.AsyncClient, working: Any, redis: Client) -> None:
    """When the claim ended and another has the conflict; when somebody decided it by a command."""
    async with disputed(client, working, 1) as job:
        first = await claimed(client, job)
        await _end_claims(redis, job)
        second = await claimed(client, job)
        assert second["sentence"] == first["sentence"]
        path = f"/v1/review/claims/{first['claim']}"
        for late in (path + "/decide", path + "/keep", path + "/skip"):
            told = await client.post(late, json={} if late.endswith("keep") else {"why": "x"})
            assert (told.status_code, told.json()["type"]) == (409, "urn:medner:problem:claim-lost"), late
        await _by_command(job, second["sentence"])
        lost = await client.post(f"/v1/review/claims/{second['claim']}/decide", json={"keep": [1]})
        assert lost.status_code == 409
        path = f"/v1/traces/{job}/export?decisions=true"
        assert '"by": "命令行"' in (await client.get(path)).text
        assert (await claimed(client, job))["sentence"] != second["sentence"]
        assert (await client.post("/v1/review/claims/none/keep")).status_code == 404


async def test_a_reviewer_who_leaves_gives_the_conflict_back(client: httpx.AsyncClient, working: Any) -> None:
    """Giving back, skipping, keeping: each does what it says."""
    async with disputed(client, working, 1) as job:
        first = await claimed(client, job)
        kept = await client.post(f"/v1/review/claims/{first['claim']}/keep")
        assert kept.json()["expires"] >= first["expires"]
        assert (await client.delete(f"/v1/review/claims/{first['claim']}")).status_code == 204
        again = await claimed(client, job)
        assert again["sentence"] == first["sentence"]
        assert (
            await client.post(f"/v1/review/claims/{again['claim']}/skip", json={"why": "später"})
        ).status_code == 204
        other = await claimed(client, job)
        assert other["sentence"] != first["sentence"]
        progress = (await client.get(f"/v1/jobs/{job}/review/progress")).json()
        assert (progress["skipped"], progress["claimed"], progress["left"]) == (1, 1, 3)
        assert (await claimed(client, job, skipped=True))["sentence"] == first["sentence"]
        nothing = await client.post(f"/v1/jobs/{job}/review/claim", json={"label": "dis"})
        assert nothing.status_code == 204


async def test_undo_takes_the_newest_decision_back(client: httpx.AsyncClient, working: Any) -> None:
    """The conflict waits again, and the results have the judge's word."""
    async with disputed(client, working, 1) as job:
        claim = await claimed(client, job, by="李")
        await client.post(f"/v1/review/claims/{claim['claim']}/decide", json={"keep": [1]})
        assert await entities(client, job) == {"病历0": ["天咳嗽"]}
        assert (await client.post(f"/v1/jobs/{job}/review/undo", json={"by": "王"})).status_code == 409
        undone = await client.post(f"/v1/jobs/{job}/review/undo", json={"by": "李"})
        assert (undone.status_code, undone.json()["verdict"]["overruled"]) == (200, None)
        assert await entities(client, job) == {"病历0": []}
        assert (await claimed(client, job))["sentence"] == claim["sentence"]


async def test_another_judge_is_asked_without_changing_anything(client: httpx.AsyncClient, working: Any) -> None:
    """Its verdict comes back; the claim, the trace and the results stay as they are."""
    async with disputed(client, working, 1) as job:
        claim = await claimed(client, job)
        path = f"/v1/review/claims/{claim['claim']}"
        asked = await client.post(f"{path}/ask", json={"judge": "best-tagger:html-full"})
        assert asked.json()["verdict"]["kept"] == [2]
        assert (await client.post(f"{path}/ask", json={"judge": "nobody"})).status_code == 409
        assert await entities(client, job) == {"病历0": []}
        assert len((await client.get("/v1/traces")).json()["runs"]) == 1
        assert (await client.post(f"{path}/decide", json={"keep": [1]})).status_code == 200


def test_a_judge_that_counts_votes_is_not_asked_about_what_all_gave() -> None:
    """It sees disagreements alone, under other ids; candidates keep the numbers of the conflict that a person sees."""
    sym, dis, bod = (Entity(0, 2, code) for code in ("sym", "dis", "bod"))
    candidates = tuple(Candidate(one, ("a",)) for one in (bod, dis, sym))
    shown = Conflict("c3", Span(0, 2), ConflictKind.DOUBTFUL, candidates)
    sentence = Sentence("s", "咳嗽", 0)
    found = Conflict("c0", Span(0, 2), ConflictKind.SAME_SPAN_OTHER_TYPE, candidates[1:])
    verdict = Verdict("c0", kept=(sym,), dropped=(dis,), judge="hard-vote", judge_version="1", mode="hard-vote")
    answer = verdict_about(Annotation(sentence, conflicts=(found,), verdicts=(verdict,)), shown, "hard-vote")
    assert answer.kept == (3,)
    with pytest.raises(Problem, match="the taggers do not disagree here; ask one"):
        verdict_about(Annotation(sentence), shown, "hard-vote")


async def test_a_direct_decision_counts_in_the_review(client: httpx.AsyncClient, working: Any) -> None:
    """What is overruled on the page of a trace is not given to a reviewer, and comes back when it is taken back."""
    async with disputed(client, working, 1) as job:
        await client.get(f"/v1/jobs/{job}/review/progress")
        path = f"/v1/traces/{job}/sentences/%E7%97%85%E5%8E%860%230/conflicts/c0/overrule"
        await client.post(path, json={"keep": [1], "why": "x"})
        assert (await client.get(f"/v1/jobs/{job}/review/progress")).json()["decided"] == 1
        await client.delete(path)
        assert (await client.get(f"/v1/jobs/{job}/review/progress")).json()["decided"] == 0


async def test_a_job_without_traces_says_what_to_do(client: httpx.AsyncClient, working: Any) -> None:
    """A review needs traces; where a job left none, the answer names the way out. A job without conflicts has none."""
    assert (await client.get("/v1/jobs/none/review/progress")).status_code == 404
    from tests.judges_kit import opened
    from tests.service.http.conftest import until_end

    note = {"documents": [{"id": "a", "text": "第3天咳嗽。"}], "trace": "none"}
    async with working(opened):
        job = (await client.post("/v1/jobs", json=note)).json()["id"]
        await until_end(client, job)
    told = await client.post(f"/v1/jobs/{job}/review/claim")
    assert (told.status_code, told.json()["type"]) == (409, "urn:medner:problem:wrong-state")
    assert "MEDNER_TRACES" in told.json()["detail"]
    waiting = (await client.post("/v1/jobs", json={"documents": [{"id": "a", "text": "无。"}]})).json()["id"]
    assert (await client.get(f"/v1/jobs/{waiting}/review/progress")).json()["conflicts"] == 0
    assert (await client.post(f"/v1/jobs/{waiting}/review/claim")).status_code == 204


async def _end_claims(redis: Client, job: str) -> None:
    """Ends the time of all claims by writing an end that has passed."""
    key = f"{job_key(job)}:review-claims"
    for name, data in (await redis.hgetall(key)).items():
        until = data.partition(b'"u":')[2].partition(b",")[0].partition(b"}")[0]
        await redis.hset(key, name, data.replace(until, b"1000"))


async def _by_command(job: str, sentence: str) -> None:
    """Overrules as `medner traces overrule` does it, beside the server."""
    backend = open_traces()
    try:
        run = run_named(backend, job)
        trace = backend.trace(run.run, sentence)
        assert trace is not None
        await overrule(backend, run, trace, Ruling("c0", (2,), "命令行", "x"))
    finally:
        backend.close()
