"""Taggers on two bases, a filter, a judge that reads on a third: each on a vLLM server of its own, tiny models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medner.core.errors import UserError
from medner.core.findings import Level
from medner.core.records import AnnotatedDocument, Document
from medner.service.build.pipeline import assembled
from medner.service.build.run_engines import bases_here
from medner.service.build.vllm_engine import server_findings, vllm_engine
from medner.service.config.configuration import Configuration, validated
from medner.service.config.engine import ServerConfig
from medner.service.jobs.submit import spec_of
from medner.service.train.export import export_adapter
from medner.service.train.export_spans import export_span_taggers
from medner.service.vllm_servers.command import serve_commands
from medner.service.vllm_servers.plan import Plan, ServerPart
from medner.service.vllm_servers.running import Serving, serving
from medner.service.worker.use_judge import put_in_place
from medner.service.worker.worker import Worker, WorkerSettings
from medner.store.jobs import Jobs
from medner.store.judges import JudgeVersion
from medner.store.redis.address import RedisAddress
from tests.free_port import free_port
from tests.tiny_model import SENTENCES, save_tiny_model
from tests.valkey_fixtures import address, jobs, redis
from tests.vllm.conftest import MODEL, on
from tests.vllm.test_spans import chances, kept, none_here

pytest.importorskip("peft")
from tests.tiny_filter import save_tiny_filter
from tests.tiny_span_tagger import save_tiny_evidence_judge, save_tiny_span_tagger

__all__ = ["address", "jobs", "redis"]

#: vLLM's attention on processors takes heads of 32, 64, 80 ... numbers; each tiny model has four heads.
WIDTHS = {"one": 128, "two": 256, "three": 320}
#: Without digits, of which transformers and the tiny tokenizer's own file make other tokens.
TEXTS = [
    "患者三天前出现咳嗽、咳黄痰，伴发热。",
    SENTENCES[1],
    "双肺呼吸音粗，可闻及湿性啰音。",
    "否认高血压、糖尿病病史。",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three bases, a tagger on two of them, a filter, a judge on the third, and one on the second for later."""
    root = tmp_path_factory.mktemp("bases")
    for seed, (name, width) in enumerate(WIDTHS.items()):
        save_tiny_model(root / name, seed=seed, hidden=width)
    save_tiny_span_tagger(root / "one", root / "a", seed=1, width=WIDTHS["one"])
    save_tiny_span_tagger(root / "two", root / "b", seed=2, width=WIDTHS["two"])
    save_tiny_filter(root / "one", root / "cls", width=WIDTHS["one"])
    save_tiny_filter(root / "one", root / "other-cls", seed=9, width=WIDTHS["one"])
    save_tiny_filter(root / "one", root / "causal-cls", seed=5, width=WIDTHS["one"], two_way_from=None)
    save_tiny_evidence_judge(root / "three", root / "judge", seed=3, width=WIDTHS["three"])
    save_tiny_evidence_judge(root / "two", root / "late-judge", seed=4, width=WIDTHS["two"])
    return root


@pytest.fixture(scope="module")
def local(folder: Path) -> Configuration:
    """All of it in this process, in float32."""
    return validated(
        {
            "model": str(folder / "one"),
            "taggers": [
                {"name": "a", "strategy": "span", "adapter": folder / "a"},
                {"name": "b", "strategy": "span", "adapter": folder / "b", "base": str(folder / "two")},
            ],
            "filter": {"kind": "llm-cls", "adapter": folder / "cls", "threshold": 0.0},
            "judge": judge(folder, "judge", "three"),
            "dtype": "f32",
        },
        where="test",
    )


def exported(configuration: Configuration, filtering: Path) -> Configuration:
    """The configuration with a filter that medner export made."""
    engine = {"kind": "vllm", "servers": [{"url": "http://127.0.0.1:8101"}]}
    chosen = {"kind": "llm-cls", "exported": filtering, "threshold": 0.0}
    return validated({**configuration.model_dump(), "filter": chosen, "engine": engine}, where="test")


def judge(folder: Path, name: str, base: str) -> dict[str, Any]:
    """An evidence judge that reads on a base."""
    return {"kind": "evidence", "source": folder / name, "base": str(folder / base)}


@pytest.fixture(scope="module")
def started(
    python: str, folder: Path, local: Configuration, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Serving]]:
    """A server each: tagger a as medner export merged it, tagger b, the judge, the filter, an exported filter."""
    as_here: dict[str, Any] = {"dtype": "float32", "most": 2}
    done = export_span_taggers([folder / "a"], folder / "exported", base=str(folder / "one"), **as_here)
    plan = Plan(port=free_port(), python=python, dtype="float32", threads=1, spans=(done.folder,))
    commands = serve_commands(local, folder / "one", plan)
    assert [command.name.split("-")[0] for command in commands] == ["spans", "spans", "judge", "filter"]
    merged = export_adapter(folder / "causal-cls", folder / "cls-exported", base=str(folder / "one"), **as_here)
    plan = replace(plan, port=free_port(), part=ServerPart.FILTER)
    commands += serve_commands(exported(local, merged.folder), folder / "one", plan)
    with serving(commands, tmp_path_factory.mktemp("logs"), patience_s=600) as running:
        yield running


@pytest.fixture(scope="module")
def remote(local: Configuration, started: list[Serving]) -> Configuration:
    """The configuration with the servers' addresses, and nothing about who runs what."""
    return on(local, *(ServerConfig(url=one.command.url) for one in reversed(started[:4])))


async def annotated(configuration: Configuration, **more: Any) -> list[AnnotatedDocument]:
    """The texts, all at once."""
    async with assembled(configuration, **more) as pipeline:
        documents = [Document(str(number), text) for number, text in enumerate(TEXTS)]
        return list(await asyncio.gather(*map(pipeline.annotate_document, documents)))


async def test_four_servers_give_what_one_process_gives(
    remote: Configuration, local: Configuration, folder: Path
) -> None:
    """Entities equal, every probability of filter and judge within a thousandth; no model in this process."""
    assert bases_here(remote) == ()
    there = await annotated(remote, engine_factory=none_here)
    here = await annotated(local, model=folder / "one")
    assert [one.entities for one in there] == [one.entities for one in here]
    both = [[sentence for one in documents for sentence in one.annotations] for documents in (there, here)]
    pairs = list(zip(*both, strict=True))
    for one, other in pairs:
        assert kept(one) == kept(other)
        assert chances(one) == pytest.approx(chances(other), abs=1e-3)
    scores = [chance for one, _ in pairs for chance in chances(one)]
    assert max(scores) - min(scores) > 0.1, "scores that are all alike would prove nothing"
    assert sum(len(one.verdicts) for one, _ in pairs) >= len(TEXTS)
    assert {verdict.judge for one, _ in pairs for verdict in one.verdicts} == {"judge"}
    assert not any(one.failures for one, _ in pairs)


async def test_doctor_finds_each_on_its_server(remote: Configuration) -> None:
    """By the models that the servers list, and by the identities in their answers."""
    findings = await server_findings(remote)
    assert [finding.line() for finding in findings if finding.level is not Level.OK] == []
    whose = sorted(finding.what.split(" with the weights")[0] for finding in findings if "weights" in finding.what)
    assert whose == ["runs the filter cls", "runs the judge judge", "runs the span tagger a", "runs the span tagger b"]


async def test_an_exported_filter_scores_as_here(local: Configuration, started: list[Serving], folder: Path) -> None:
    """As a sequence classifier of vLLM's own; beside it the taggers and the judge."""
    causal = {"kind": "llm-cls", "adapter": folder / "causal-cls", "threshold": 0.0}
    here = await annotated(validated({**local.model_dump(), "filter": causal}, where="test"), model=folder / "one")
    servers = [ServerConfig(url=one.command.url) for one in (*started[:3], started[4])]
    asking = on(exported(local, folder / "cls-exported"), *servers)
    there = await annotated(asking, engine_factory=none_here)
    assert [one.entities for one in there] == [one.entities for one in here]
    for one, other in zip(there, here, strict=True):
        for sentence, expected in zip(one.annotations, other.annotations, strict=True):
            assert chances(sentence) == pytest.approx(chances(expected), abs=1e-3)


async def test_another_filter_or_judge_under_the_name_is_refused(remote: Configuration, folder: Path) -> None:
    """Before the first sentence; the message says which."""
    assert remote.filter is not None
    other = remote.filter.model_copy(update={"adapter": folder / "other-cls"})
    with pytest.raises(UserError, match=r"filter other-cls: the model cmeee-v2\.llm-cls runs another filter"):
        await vllm_engine(remote.model_copy(update={"filter": other}), {})
    late = validated({**remote.model_dump(), "judge": judge(folder, "late-judge", "two")}, where="test")
    with pytest.raises(UserError, match=r"judge late-judge: the model cmeee-v2\.spans\.two runs other"):
        await vllm_engine(late, {})


@asynccontextmanager
async def working(address: RedisAddress) -> AsyncIterator[Worker]:
    """A worker in this process, which is slow enough to be watched."""
    worker = Worker(WorkerSettings(concurrency=2, chunks=1, grace_s=5), address=address)
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await running


async def test_judges_change_while_a_job_runs(
    remote: Configuration, folder: Path, jobs: Jobs, address: RedisAddress, servers: list[Serving]
) -> None:
    """A served one, one whose model the worker loads, one of LangChain's providers, the served one again.

    Every sentence is decided, by a judge that was in place.
    """
    chat = {"kind": "select", "model": f"openai:{MODEL}", "url": f"{servers[0].command.url}/v1", "max_tokens": 16}
    chosen = {
        "served": judge(folder, "judge", "three"),
        "local": judge(folder, "late-judge", "two"),
        "langchain": {**chat, "fallback": [{"kind": "best-tagger"}]},
        "again": judge(folder, "judge", "three"),
    }
    documents = [Document(str(number), f"{number}号。{TEXTS[number % 2]}") for number in range(400)]
    spec = spec_of(remote, judge_follow="latest", chunk_sentences=4)
    job = (await jobs.submit(spec, documents)).id
    async with working(address) as worker:
        for number, (name, definition) in enumerate(chosen.items(), 1):
            version = JudgeVersion(name=name, revision=1, judge=_plain(definition))
            await put_in_place(jobs.judges, version, force=True)
            held = await _held(jobs, worker.id, number)
            assert (held.number, held.problem) == (number, "")
            assert (await jobs.show(job)).counts.left > 0, "the job ended before its judge changed"
            await _judged(jobs, job, name)
        async with asyncio.timeout(600):
            async for view in jobs.watch(job, every_s=0.2):
                last = view
    assert (last.counts.done, last.counts.dead, last.counts.partial) == (last.counts.sentences, 0, 0)
    found = [one async for one in jobs.results(job)]
    assert len(found) == len(documents)
    verdicts = [verdict for one in found for sentence in one.annotations for verdict in sentence.verdicts]
    assert {(one.judge, one.judge_version) for one in verdicts if one.fallback is None} >= {
        (name, str(number)) for number, name in enumerate(chosen, 1)
    }


def _plain(definition: dict[str, Any]) -> dict[str, Any]:
    """As the registry keeps it."""
    return {key: str(value) if isinstance(value, Path) else value for key, value in definition.items()}


async def _held(jobs: Jobs, worker: str, number: int) -> Any:
    """What the worker says it holds, once it has tried the version."""
    async with asyncio.timeout(120):
        while True:
            for held in await jobs.judges.held():
                if held.worker == worker and (held.number == number or held.problem):
                    return held
            await asyncio.sleep(0.1)


async def _judged(jobs: Jobs, job: str, name: str) -> None:
    """Waits until a judge has decided something of the job."""
    async with asyncio.timeout(300):
        while True:
            async for one in jobs.results(job):
                if any(verdict.judge == name for sentence in one.annotations for verdict in sentence.verdicts):
                    return
            await asyncio.sleep(0.3)
