"""Annotators' disagreements in the review queue: submitted, claimed, decided, and gold at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from medner.core.labels import load_label_set
from medner.core.records import Document, Entity
from medner.service.config.options import Overrides
from medner.service.jobs.submit import SubmitOrder, submit
from medner.service.review.disagreements import (
    Disagreements,
    annotated_documents,
    write_configuration,
    write_disagreements,
)
from medner.service.worker.pipelines import open_pipeline
from medner.store.jobs import Jobs
from tests.service.http.conftest import until, until_end
from tests.service.http.disputes import entities
from tests.service.http.test_review import claimed

COUGH, DISEASE, FEVER = Entity(1, 3, "sym"), Entity(1, 3, "dis"), Entity(5, 7, "sym")
TEXT = "无咳嗽。有发热。"
#: Two documents of one text, which two annotators understood differently; the third was one annotator's of three.
MARKED = {
    "a": {"li": {COUGH, FEVER}, "wang": {DISEASE, FEVER}},
    "b": {"li": {COUGH}, "wang": {COUGH, FEVER}, "zhao": {COUGH}},
}


def written(folder: Path) -> Path:
    """The file of disagreements, with its configuration beside it."""
    texts = [(Document(name, TEXT), marked) for name, marked in MARKED.items()]
    counts = Disagreements()
    path = folder / "review.jsonl"
    write_disagreements(path, annotated_documents(texts, load_label_set("cmeee-v2"), counts))
    assert (counts.documents, counts.conflicts, counts.across) == (2, 2, 0)
    write_configuration(path.with_suffix(".toml"), path, ["li", "wang", "zhao"], "cmeee-v2")
    return path


async def test_the_queue_opens_a_file_of_disagreements(
    client: httpx.AsyncClient, working: Any, jobs: Jobs, tmp_path: Path
) -> None:
    """One conflict after the other, under the annotators' names; what reviewers decide is in the results."""
    path = written(tmp_path)
    order = SubmitOrder((str(path),), overrides=Overrides(config=path.with_suffix(".toml")))
    async with working(open_pipeline):
        submitted, bad = await submit(jobs, order, Console(quiet=True))
        assert not bad
        job = submitted.id
        found = await until_end(client, job)
        assert (found["counts"]["dead"], found["counts"]["conflicts"]) == (0, 2)

        async def traced() -> bool:
            run = await client.get(f"/v1/traces/{job}")
            return run.status_code == 200 and run.json()["sentences"] == 2

        await until(traced)
        # Until somebody decides, what more than half marked stays.
        assert await entities(client, job) == {"a": ["发热"], "b": ["咳嗽"]}
        seen = []
        for _ in range(2):
            claim = await claimed(client, job, by="主任")
            candidates = claim["conflict"]["candidates"]
            seen.append((claim["sentence"], claim["conflict"]["kind"], [one["taggers"] for one in candidates]))
            keep = [number for number, one in enumerate(candidates, 1) if one["label"] == "sym"]
            answer = await client.post(f"/v1/review/claims/{claim['claim']}/decide", json={"keep": keep, "why": "x"})
            assert answer.status_code == 200
        assert sorted(seen) == [
            ("a#0", "same_span_other_type", [["wang"], ["li"]]),
            ("b#1", "no_overlap", [["wang"]]),
        ]
        assert (await client.post(f"/v1/jobs/{job}/review/claim")).status_code == 204
        assert await entities(client, job) == {"a": ["咳嗽", "发热"], "b": ["咳嗽", "发热"]}
        gold = await client.get(f"/v1/jobs/{job}/results", params={"format": "webanno-tsv"})
        assert gold.headers["content-type"] == "application/zip"
