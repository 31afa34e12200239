"""The types of the public calls, checked by mypy (test_types.py); never run.

``assert_type`` fails where a type changes; a comment ``type: ignore`` that nothing needs any more fails too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, assert_type

import medner
from medner.testing import DictionaryEngine, annotator, async_annotator


def one_text() -> None:
    document = medner.annotate("胸痛。")
    assert_type(document, medner.Document)
    assert_type(medner.annotate("胸痛。", "ccks2019", taggers=["span-8"], judge="filter-score"), medner.Document)
    entity = document.entities[0]
    assert_type(document.entities, tuple[medner.Entity, ...])
    assert_type(document.conflicts, tuple[medner.Conflict, ...])
    assert_type((entity.text, entity.label, entity.start, entity.end), tuple[str, str, int, int])
    assert_type(entity.label_name, str)
    assert_type(entity.score, float | None)
    assert_type(entity.decision, str | None)
    assert_type(entity.taggers, tuple[str, ...])
    assert_type(entity.conflict, medner.Conflict | None)
    assert_type(document.conflicts[0].candidates, tuple[medner.Candidate, ...])
    assert_type(document.to_dict(), dict[str, Any])
    assert_type(document.to_html(), str)


def streams() -> None:
    with medner.load("ccks2019", preset="fast", trace="conflicts") as nlp:
        assert_type(nlp, medner.Annotator)
        assert_type(nlp.pipe(["胸痛。"]), Iterator[medner.Document])
        assert_type(nlp.pipe(line for line in ("胸痛。",)), Iterator[medner.Document])
        assert_type(nlp.pipe([medner.Document("1", "胸痛。")], ahead=8), Iterator[medner.Document])
        assert_type(nlp.labels, medner.LabelSet)
        assert_type(nlp.labels.types[0], medner.LabelType)
    assert_type(annotator({"胸痛": "sym"}), medner.Annotator)
    assert_type(async_annotator({"胸痛": "sym"}), medner.AsyncAnnotator)
    medner.load(engine=DictionaryEngine({}), dtype="int8", config="a.toml", servers=["http://127.0.0.1:8101"])


async def asynchronous() -> None:
    async with medner.load_async() as nlp:
        assert_type(nlp, medner.AsyncAnnotator)
        assert_type(await nlp.annotate("胸痛。"), medner.Document)
        assert_type(nlp.pipe(["胸痛。"]), AsyncIterator[medner.Document])
    async with medner.AsyncJobs() as jobs:
        assert_type(await jobs.submit(["胸痛。"], name="n"), medner.Job)
        assert_type(jobs.watch(), AsyncIterator[medner.Job])
        assert_type(jobs.results("n"), AsyncIterator[medner.Document])
        assert_type(await jobs.list(), list[medner.Job])
        assert_type(await jobs.failures("n"), list[medner.FailedSentence])
    async with medner.AsyncJudges() as judges:
        assert_type(await judges.use("vote"), medner.JudgeInUse)
    async with medner.AsyncTraces() as traces:
        assert_type(await traces.show("last/1"), medner.Document)


def files_and_scores() -> None:
    gold = medner.read("gold.json", labels="cmeee-v2")
    assert_type(gold, list[medner.Document])
    rows = medner.stream("病历.csv", text_column="主诉", id_column="住院号", keep=["科室"], skip_bad=True)
    assert_type(rows, Iterator[medner.Document])
    assert_type(gold[0].kept, Mapping[str, str | int | float | bool | None])
    assert_type(medner.write(gold, "out", format="brat"), medner.Written)
    found = medner.evaluate(gold, "predicted.jsonl")
    assert_type(found, medner.Evaluation)
    assert_type(found.f1, float)
    assert_type(found.by_type["dis"], medner.Score)
    assert_type(medner.compare(gold, gold, gold).difference, float)


def jobs_judges_traces() -> None:
    with medner.Jobs() as jobs:
        assert_type(jobs.submit(["胸痛。"], "cmeee-v2", priority="low", judge="hard-vote"), medner.Job)
        assert_type(jobs.watch("last"), Iterator[medner.Job])
        assert_type(jobs.results(), Iterator[medner.Document])
        assert_type(jobs.replay("last"), int)
    with medner.Judges() as judges:
        assert_type(judges.add("vote", "hard-vote"), medner.Judge)
        assert_type(judges.current(), medner.JudgeInUse | None)
        assert_type(judges.test("vote"), medner.JudgeTest)
    with medner.Traces() as traces:
        assert_type(traces.runs(), list[medner.TraceRun])
        assert_type(traces.list(), list[medner.SentenceTrace])
        assert_type(traces.fork("last", "hard-vote"), medner.TraceRun)
        assert_type(traces.diff("a", "b"), medner.TraceDifference)


def a_server() -> None:
    with medner.connect("https://ward.example.org", key_env="WARD_KEY", timeout_s=5) as server:
        assert_type(server, medner.Server)
        assert_type(server.annotate("胸痛。", judge="hard-vote"), medner.Document)
        assert_type(server.pipe(["胸痛。"], "ccks2019"), Iterator[medner.Document])
        assert_type(server.label_sets(), dict[str, medner.LabelSet])
        assert_type(server.jobs.submit(["胸痛。"], taggers=["span"], priority="low"), medner.Job)
        assert_type(server.jobs.watch(), Iterator[medner.Job])
        assert_type(server.jobs.results("n"), Iterator[medner.Document])
        assert_type(server.jobs.export("n", "bio"), Iterator[str])
        assert_type(server.jobs.list(), list[medner.Job])
        assert_type(server.traces.runs(), list[medner.TraceRun])
        assert_type(server.traces.fork("last", "hard-vote"), medner.TraceRun)
        assert_type(server.traces.diff("a", "b"), medner.TraceDifference)
        assert_type(server.judges.use("vote", why="w"), medner.JudgeInUse)
        assert_type(server.judges.current(), medner.JudgeInUse | None)
        item = server.review.claim("n")
        assert_type(item, medner.ReviewItem | None)
        if item is not None:
            assert_type(item.conflict, medner.Conflict)
            assert_type(server.review.decide(item, [1]), medner.Conflict)
        assert_type(server.review.progress(), medner.ReviewProgress)


async def a_server_asynchronously() -> None:
    async with medner.connect_async("http://127.0.0.1:8080", "key") as server:
        assert_type(server, medner.AsyncServer)
        assert_type(await server.annotate("胸痛。"), medner.Document)
        assert_type(server.pipe(["胸痛。"]), AsyncIterator[medner.Document])
        assert_type(await server.jobs.submit(["胸痛。"]), medner.Job)
        assert_type(server.jobs.results(), AsyncIterator[medner.Document])
        assert_type(await server.traces.show(), medner.Document)
        assert_type(await server.review.claim(), medner.ReviewItem | None)


def refusals(error: medner.RefusedError) -> None:
    assert_type((error.kind, error.status, error.members), tuple[str, int, dict[str, Any]])


def wrong_calls() -> None:
    medner.annotate(7)  # type: ignore[arg-type]
    medner.load(tagger="span")  # type: ignore[call-arg]
    medner.load(max_chars="8")  # type: ignore[arg-type]
    medner.load(trace="some")  # type: ignore[arg-type]
    medner.no_such_name  # type: ignore[attr-defined]  # noqa: B018  the type checker knows the names
    with medner.Jobs() as jobs:
        jobs.submit(["胸痛。"], priority="urgent")  # type: ignore[arg-type]
    with medner.connect("http://127.0.0.1:8080") as server:
        server.jobs.submit(["胸痛。"], results="out")  # type: ignore[call-arg]
        server.annotate("胸痛。", judge={"kind": "hard-vote"})  # type: ignore[arg-type]
