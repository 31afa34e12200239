"""The vLLM engine against real servers: the same answers as in this process, faithful, whatever breaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from medner.agents.engines.engine import Engine, Request
from medner.agents.engines.vllm.engine import VllmEngine
from medner.agents.prompts.tagger import tagger_messages
from medner.agents.strategies import CODECS
from medner.agents.strategies.automaton import Automaton
from medner.agents.taggers.tagger import GenerativeTagger
from medner.core.errors import ExternalError, UserError
from medner.core.findings import Level
from medner.core.labels import load_label_set
from medner.core.records import AnnotatedDocument, Document, Rejection, Sentence
from medner.core.sentences import split_sentences
from medner.service.build.engines import EngineOrder
from medner.service.build.pipeline import assembled
from medner.service.build.vllm_engine import server_findings, vllm_engine
from medner.service.config.configuration import Configuration
from medner.service.vllm_servers.running import Serving, serving
from tests.vllm.conftest import ROOT, kill

torch = pytest.importorskip("torch")
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel

LABELS = load_label_set("cmeee-v2")
CORPUS = ROOT.parent / "shared/data/cmeee_v2/test.json"
#: None is the base model.
ADAPTERS = (None, "symbol", "other")


def sentences_of_notes() -> list[Sentence]:
    """The sample notes, a sentence at a time."""
    paths = sorted((ROOT / "examples/notes").glob("*.txt"))
    documents = [Document(path.stem, path.read_text(encoding="utf-8")) for path in paths]
    return [sentence for document in documents for sentence in split_sentences(document, max_chars=256)]


def real_sentences(count: int) -> list[Sentence]:
    """Sentences of a corpus where there is one beside the project, else of the sample notes, over and over."""
    found = sentences_of_notes()
    if CORPUS.is_file():
        texts = [record["text"] for record in json.loads(CORPUS.read_text(encoding="utf-8"))]
        found = [
            sentence
            for number, text in enumerate(texts)
            for sentence in split_sentences(Document(str(number), text), max_chars=256)
        ]
    short = [sentence for sentence in found if len(sentence.text) <= 80]
    return (short * (count // len(short) + 1))[:count]


def tagger(engine: Engine, adapter: str | None, strategy: str) -> GenerativeTagger:
    """A tagger with the brief prompt, for every strategy and model."""
    return GenerativeTagger(
        name=f"{adapter}-{strategy}",
        engine=engine,
        codec=CODECS[strategy],
        labels=LABELS,
        adapter=adapter,
    )


@pytest.fixture
async def engine(served: Configuration) -> AsyncIterator[VllmEngine]:
    """An engine on the servers, by the tagger names of the configuration."""
    adapters = {one.folder: one.name for one in served.taggers if one.folder is not None}
    engine = await vllm_engine(served, adapters)
    yield engine
    await engine.close()


@pytest.fixture(scope="module")
def local_model(model: Path, configuration: Configuration) -> LocalModel:
    """The same weights in this process, in the same precision."""
    adapters = {one.name: one.folder for one in configuration.taggers if one.folder is not None}
    return LocalModel(model, adapters, dtype=torch.float32)


async def test_answers_equal_the_local_engines_in_a_mixed_batch(engine: VllmEngine, local_model: LocalModel) -> None:
    """Base model and two adapters at once, every strategy, drafts on both sides: the same text, letter by letter.

    The grammars of html, json and index are wider than what the local engine allows (agents/strategies/grammar.py):
    there a server's answer may differ, but only by a letter that would not be legal here.
    """
    strategies = ("symbol", "json", "symbol", "html", "symbol", "index")
    chosen = sorted(sentences_of_notes(), key=lambda sentence: len(sentence.text))[40:100:10]
    codecs = [CODECS[strategies[number]] for number in range(len(chosen))]
    asked = [
        Request(
            tuple(tagger_messages("brief", codec, LABELS, sentence.text)),
            codec.graph(sentence.text, LABELS),
            adapter,
            max_tokens=160,
        )
        for codec, sentence in zip(codecs, chosen, strict=True)
        for adapter in ADAPTERS
    ]
    from_servers = await asyncio.gather(*map(engine.complete, asked))
    local = LocalEngine(local_model, max_rows=8)
    from_here = await asyncio.gather(*map(local.complete, asked))
    await local.close()
    strict = [codec.name == "symbol" for codec in codecs for _ in ADAPTERS]
    for request, there, here, exact in zip(asked, from_servers, from_here, strict, strict=True):
        if exact or there.text == here.text:
            assert (there.text, there.truncated) == (here.text, here.truncated)
            continue
        alike = next(at for at, (one, other) in enumerate(zip(there.text, here.text, strict=False)) if one != other)
        assert request.graph is not None
        allowed = Automaton(request.graph)
        assert allowed.walk(allowed.start, there.text[: alike + 1].encode()) is None
    assert sum(there.text == here.text for there, here in zip(from_servers, from_here, strict=True)) >= 12


async def test_choices_equal_the_local_engines(engine: VllmEngine, local_model: LocalModel) -> None:
    """The probability of each option, as the yes-or-no filter asks for it."""
    messages = tagger_messages("brief", CODECS["symbol"], LABELS, "咽痛伴发热。")
    local = LocalEngine(local_model, max_rows=2)
    for adapter in ADAPTERS:
        here = await local.choose(messages, ["是", "否"], adapter=adapter)
        assert await engine.choose(messages, ["是", "否"], adapter=adapter) == pytest.approx(here, abs=1e-3)
    await local.close()


async def test_two_hundred_sentences_are_copied_faithfully(engine: VllmEngine) -> None:
    """Held to the grammar by the server, tuned and untuned models alike: no answer has a letter that is not there."""
    taggers = [tagger(engine, "symbol", "symbol"), tagger(engine, None, "symbol")]
    sentences = real_sentences(200)
    # The untuned model cannot stop; its answers are cut, and only what they hold is judged.
    outputs = await asyncio.gather(*(taggers[number % 40 == 0].tag(one) for number, one in enumerate(sentences)))
    refused = [one for output in outputs for one in output.decoded.rejected if one.reason != Rejection.TRUNCATED]
    assert refused == []
    assert sum(len(output.decoded.entities) for output in outputs) > 200


async def test_the_graph_gives_the_same_entities(
    served: Configuration, configuration: Configuration, model: Path, local_model: LocalModel
) -> None:
    """One adapter under two prompts, conflicts, a vote: through the servers as through this process."""
    symbol = configuration.taggers[0]
    taggers = (symbol, symbol.model_copy(update={"name": "symbol-full", "style": "full"}))

    async def run(chosen: Configuration) -> list[AnnotatedDocument]:
        def here(_: EngineOrder) -> LocalEngine:
            return LocalEngine(local_model, max_rows=8)

        chosen = chosen.model_copy(update={"taggers": taggers})
        async with assembled(chosen, model=model, engine_factory=here) as pipeline:
            return list(await asyncio.gather(*map(pipeline.annotate_document, documents)))

    documents = [
        Document(name, (ROOT / f"examples/notes/{name}.txt").read_text(encoding="utf-8")[:160])
        for name in ("01-outpatient", "09-tcm")
    ]
    there, here = await run(served), await run(configuration)
    assert [one.entities for one in there] == [one.entities for one in here]
    assert [one.conflicts for document in there for one in document.annotations] == [
        one.conflicts for document in here for one in document.annotations
    ]
    assert sum(len(one.entities) for one in there) > 5


async def test_an_adapter_comes_and_goes_while_the_server_runs(
    engine: VllmEngine, servers: list[Serving], configuration: Configuration
) -> None:
    """Loaded under a new name it answers as under the old one; unloaded, the message says who serves what."""
    adapter = configuration.taggers[0].folder
    late = VllmEngine(engine.pool, base="", served={"late": "late"})
    request = Request(tuple(tagger_messages("brief", CODECS["symbol"], LABELS, "咽痛伴发热。")), max_tokens=60)
    expected = await engine.complete(Request(request.messages, adapter="symbol", max_tokens=60))
    async with httpx.AsyncClient(timeout=120, trust_env=False) as client:
        for server in servers:
            body = {"lora_name": "late", "lora_path": str(adapter)}
            (await client.post(f"{server.command.url}/v1/load_lora_adapter", json=body)).raise_for_status()
        answers = await asyncio.gather(
            *(late.complete(Request(request.messages, adapter="late", max_tokens=60)) for _ in range(4)),
            engine.complete(Request(request.messages, max_tokens=60)),
        )
        assert {one.text for one in answers[:4]} == {expected.text}
        for server in servers:
            (
                await client.post(f"{server.command.url}/v1/unload_lora_adapter", json={"lora_name": "late"})
            ).raise_for_status()
    with pytest.raises((UserError, ExternalError), match="late"):
        await late.complete(Request(request.messages, adapter="late", max_tokens=60))


async def test_doctor_finds_nothing_wrong(served: Configuration) -> None:
    """Version, models, context, the grammar really enforced."""
    findings = await server_findings(served)
    assert {finding.level for finding in findings} == {Level.OK}, [finding.line() for finding in findings]
    assert sum("holds answers to a grammar" in finding.what for finding in findings) == 2


async def test_a_replica_dies_and_no_sentence_is_lost(
    engine: VllmEngine, servers: list[Serving], tmp_path: Path
) -> None:
    """Killed in the middle of 100 sentences: all are answered, and a server started anew is taken in again."""
    sentences = [one for one in sentences_of_notes() if 4 <= len(one.text) <= 40][:100]
    assert len(sentences) == 100
    one = tagger(engine, "symbol", "symbol")
    done = 0

    async def tag(sentence: Sentence) -> object:
        nonlocal done
        output = await one.tag(sentence)
        done += 1
        if done == 20:
            await asyncio.to_thread(kill, servers[1])
        return output

    outputs = await asyncio.gather(*map(tag, sentences))
    assert len(outputs) == 100
    assert [server.alive for server in engine.pool.servers] == [True, False]
    with serving([servers[1].command], tmp_path, patience_s=300):
        async with asyncio.timeout(30):
            while not engine.pool.servers[1].alive:  # noqa: ASYNC110  nothing tells
                await asyncio.sleep(0.2)
        assert "cmeee-v2.symbol" in engine.pool.servers[1].models
