"""Span taggers on a real vLLM server: the default of a label set with no model in this process."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from medner.core.errors import UserError
from medner.core.findings import Level
from medner.core.records import AnnotatedDocument, Annotation, Document, Sentence
from medner.service.build.engines import EngineFactory, EngineOrder, local_engine
from medner.service.build.pipeline import assembled
from medner.service.build.run_engines import bases_here
from medner.service.build.vllm_engine import server_findings, vllm_engine
from medner.service.cli.commands import annotate
from medner.service.config.configuration import Configuration
from medner.service.config.engine import ServerConfig
from medner.service.config.options import Overrides, configured
from medner.service.vllm_servers.command import serve_commands
from medner.service.vllm_servers.plan import Plan
from medner.service.vllm_servers.running import Serving, serving
from tests.free_port import free_port
from tests.vllm.conftest import ROOT, on
from tests.vllm.test_served import real_sentences

torch = pytest.importorskip("torch")
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.taggers.spans.tagger import SpanScores, SpanTagger

#: As many sentences are compared beside the notes: of a corpus, where one lies beside the project. 500 take two cores
#: ten minutes.
COUNT = int(os.environ.get("MEDNER_COMPARED", "40"))


@dataclass(frozen=True)
class Run:
    """What a pipeline made of documents and sentences."""

    documents: list[AnnotatedDocument]
    annotations: list[Annotation]
    scores: list[list[Any]]


@pytest.fixture(scope="module")
def default(judge_model: Path) -> Configuration:
    """Two span taggers behind an evidence judge that reads on a base model of its own."""
    del judge_model
    return configured(Overrides(dtype="f32"))


@pytest.fixture(scope="module")
def local_run(model: Path, default: Configuration) -> Run:
    """What it gives without servers, in float32, from a process whose memory is free again before they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))  # the process imports this module
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart:
            return apart.submit(run_here, default, model).result()


def run_here(configuration: Configuration, model: Path) -> Run:
    """What a configuration gives in this process."""
    return asyncio.run(run(configuration, model, local_engine))


@pytest.fixture(scope="module")
def servers(
    python: str, model: Path, default: Configuration, local_run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Serving]]:
    """The servers that medner serve-models starts for it, in float32: the taggers', the judge's."""
    del local_run
    plan = Plan(port=free_port(), python=python, dtype="float32", threads=2)
    with serving(serve_commands(default, model, plan), tmp_path_factory.mktemp("spans"), patience_s=600) as running:
        yield running


@pytest.fixture(scope="module")
def served(default: Configuration, servers: list[Serving]) -> Configuration:
    """The default, as --server given twice makes it."""
    return on(default, *(ServerConfig(url=server.command.url) for server in servers))


def none_here(order: EngineOrder) -> LocalEngine:
    """What builds a model in this process; a run on servers must not ask it."""
    raise AssertionError(f"a model was loaded here: {order}")


async def run(configuration: Configuration, model: Path | None, factory: EngineFactory) -> Run:
    """The sample notes, corpus sentences where there are some, and the score tables of each tagger."""
    # All ten, unless very few sentences are asked for.
    notes = sorted((ROOT / "examples/notes").glob("*.txt"))[: max(1, COUNT // 4)]
    sentences = real_sentences(COUNT)
    async with assembled(configuration, model=model, engine_factory=factory) as pipeline:
        documents = [Document(path.stem, path.read_text(encoding="utf-8")) for path in notes]
        annotated = list(await asyncio.gather(*map(pipeline.annotate_document, documents)))
        annotations = list(await asyncio.gather(*map(pipeline.annotate_sentence, sentences)))
        tables = [await asyncio.gather(*(table(one, each) for each in sentences[:60])) for one in pipeline.deps.taggers]
    return Run(annotated, annotations, [list(several) for several in tables])


async def table(tagger: Any, sentence: Sentence) -> Any:
    """All scores of a sentence."""
    assert isinstance(tagger, SpanTagger)
    scores = (await tagger.tag_scored(sentence)).scores
    assert isinstance(scores, SpanScores)
    return scores.scores_YCC


def kept(annotation: Annotation) -> list[tuple[object, ...]]:
    """The entities, who gave them, and how they were decided."""
    return [(one.entity, one.taggers, one.decision) for one in annotation.entities]


def chances(annotation: Annotation) -> list[float]:
    """Every probability that a judge went by or gave."""
    filtered = [one.score or 0.0 for conflict in annotation.conflicts for one in conflict.candidates]
    return filtered + [chance for verdict in annotation.verdicts for chance in verdict.scores or ()]


@pytest.mark.timeout(3_600)
async def test_the_default_gives_what_it_gives_here(served: Configuration, local_run: Run) -> None:
    """Entities equal, every score within a thousandth, the judge's too; no model in this process, whose tokens are the
    tokenizer's."""
    assert bases_here(served) == ()
    there, here = await run(served, None, none_here), local_run
    assert [one.entities for one in there.documents] == [one.entities for one in here.documents]
    assert list(map(kept, there.annotations)) == list(map(kept, here.annotations))
    assert sum(len(one.entities) for one in there.documents) > 20 * len(there.documents)
    both = [
        pair
        for run in (there, here)
        for pair in [[*(one for doc in run.documents for one in doc.annotations), *run.annotations]]
    ]
    judged = 0
    for one, other in zip(*both, strict=True):
        assert chances(one) == pytest.approx(chances(other), abs=1e-3)
        judged += len(one.verdicts)
    assert judged > len(there.documents)
    for several, others in zip(there.scores, here.scores, strict=True):
        assert max(float((one - other).abs().max()) for one, other in zip(several, others, strict=True)) < 1e-3


def test_the_command_line_needs_no_model_here(servers: list[Serving], local_run: Run, tmp_path: Path) -> None:
    """--server given twice: who runs what is found out; the entities are those of the run here."""
    note, out = sorted((ROOT / "examples/notes").glob("*.txt"))[0], tmp_path / "out.jsonl"
    options = [word for server in servers for word in ("--server", server.command.url)]
    app = typer.Typer(pretty_exceptions_enable=False)
    annotate.register(app)
    done = CliRunner().invoke(app, [str(note), "-o", str(out), *options], obj=none_here)
    assert done.exit_code == 0, done.output
    (record,) = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    expected = local_run.documents[0].entities
    assert [(one["start"], one["end"], one["label"]) for one in record["entities"]] == [
        (one.start, one.end, one.label) for one in expected
    ]


async def test_doctor_knows_taggers_and_judge(served: Configuration) -> None:
    """Version, model, context, and for each tagger and the judge that a server runs its weights."""
    findings = await server_findings(served)
    assert {finding.level for finding in findings} == {Level.OK}, [finding.line() for finding in findings]
    whose = [finding.what.split(" with the weights")[0] for finding in findings if "weights" in finding.what]
    assert sorted(whose) == [
        "runs the judge evidence-1.5b",
        "runs the span tagger span-12",
        "runs the span tagger span-8",
    ]


async def test_another_tagger_under_the_same_name_is_refused(served: Configuration) -> None:
    """The name is the label set's; what the server runs is another folder's weights."""
    other = configured(Overrides(taggers="span-6")).taggers
    changed = served.model_copy(update={"taggers": other, "filter": None, "conflicts": None})
    findings = [finding for finding in await server_findings(changed) if finding.level is Level.ERROR]
    assert len(findings) == 1
    assert "tagger span-6: the model cmeee-v2.spans runs other span taggers" in findings[0].what
    with pytest.raises(UserError, match="runs other span taggers"):
        await vllm_engine(changed, {})


async def test_one_request_serves_both_taggers(served: Configuration, servers: list[Serving]) -> None:
    """Where they read the same tokens the server is asked once a sentence; a split token costs one request more."""
    asked = real_sentences(30)
    texts = len({one.text for one in asked})
    async with assembled(served, engine_factory=none_here) as pipeline:
        before = await asyncio.to_thread(requests, servers[0])
        await asyncio.gather(*(pipeline.annotate_sentence(one) for one in asked))
        after = await asyncio.to_thread(requests, servers[0])
    assert texts <= after - before < 2 * texts


async def test_a_sentence_that_does_not_fit_is_refused_in_a_line(served: Configuration) -> None:
    """Longer than the server's context: the message says so, and holds nothing of the text."""
    engine = await vllm_engine(served, {})
    with pytest.raises(UserError, match="refused the request") as refused:
        await engine.pool_tokens("cmeee-v2.spans", [1] * 5_000)
    assert "\n" not in str(refused.value)
    await engine.close()


def requests(server: Serving) -> int:
    """How many requests the server has finished."""
    import re

    import httpx

    told = httpx.get(f"{server.command.url}/metrics", timeout=30, trust_env=False).text
    counted = re.findall(r"^vllm:request_success_total\{[^}]*\} (\S+)$", told, re.MULTILINE)
    return int(sum(map(float, counted)))
