"""Traps that others met with vLLM, on a real server with a tiny random model: none of them changes an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from medner.agents.engines.engine import Completion, Request
from medner.agents.engines.vllm.engine import VllmEngine
from medner.agents.prompts.messages import Message
from medner.agents.prompts.tagger import tagger_messages
from medner.agents.strategies import CODECS
from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.service.build.vllm_engine import vllm_engine
from medner.service.config.configuration import Configuration
from medner.service.config.engine import ServerConfig
from medner.service.config.judges import HardVoteConfig
from medner.service.config.taggers import WritingTaggerConfig
from medner.service.vllm_servers.command import ServeCommand, serve_commands
from medner.service.vllm_servers.plan import Plan, Speculation
from medner.service.vllm_servers.running import Serving, serving, stop
from tests.free_port import free_port
from tests.tiny_model import save_tiny_adapter, save_tiny_model
from tests.vllm.conftest import on

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel

LABELS = load_label_set("cmeee-v2")
TEXTS = ("咳嗽。", "咽部充血，伴发热三天。", "咽部充血，伴发热三天，咽部充血。")
CONTEXT = 3_072
NAMES = ("one", "two")


@dataclass(frozen=True)
class Tiny:
    """A base, its two adapters and a third, and the configuration that has the two."""

    base: Path
    adapters: dict[str, Path]
    configuration: Configuration


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Random models with wide weights: two adapters answer differently."""
    folder = tmp_path_factory.mktemp("tiny")
    base = save_tiny_model(folder / "base", hidden=128)
    adapters = {name: save_tiny_adapter(base, folder / name, seed=at) for at, name in enumerate((*NAMES, "third"))}
    return Tiny(base, adapters, configured(base, adapters))


def configured(base: Path, adapters: dict[str, Path]) -> Configuration:
    """Two taggers that write."""
    taggers = tuple(
        WritingTaggerConfig(name=name, strategy="symbol", style="brief", adapter=adapters[name]) for name in NAMES
    )
    return Configuration(model=str(base), taggers=taggers, filter=None, judge=HardVoteConfig())


@pytest.fixture(scope="module")
def server(python: str, tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """With n-grams, LoRA, prefix caching and adapters that come and go: everything at once, in float32."""
    with serving([command(python, tiny, free_port())], tmp_path_factory.mktemp("traps"), patience_s=300) as running:
        yield running[0]


def command(python: str, tiny: Tiny, port: int) -> ServeCommand:
    """The server's command."""
    plan = Plan(
        port=port,
        python=python,
        dtype="float32",
        threads=1,
        context=CONTEXT,
        speculation=Speculation.NGRAM,
        adapter_updates=True,
    )
    return serve_commands(tiny.configuration, tiny.base, plan)[0]


@asynccontextmanager
async def engine_on(tiny: Tiny, server: Serving) -> AsyncIterator[VllmEngine]:
    """An engine on the server, as a run makes it."""
    served = on(tiny.configuration, ServerConfig(url=server.command.url))
    engine = await vllm_engine(served, {tiny.adapters[name]: name for name in NAMES})
    try:
        yield engine
    finally:
        await engine.close()


@pytest.fixture
async def here(tiny: Tiny) -> AsyncIterator[LocalEngine]:
    """The same weights in this process."""
    engine = LocalEngine(LocalModel(tiny.base, tiny.adapters, dtype=torch.float32), max_rows=8)
    yield engine
    await engine.close()


def request(adapter: str | None, text: str) -> Request:
    """A sentence for `symbol`, with its grammar.

    Free answers of random models are no text: servers leave special tokens and torn characters out, engines do not.
    """
    codec = CODECS["symbol"]
    messages = tuple(tagger_messages("brief", codec, LABELS, text))
    return Request(messages, codec.graph(text, LABELS), adapter, max_tokens=48)


async def answers(engine: VllmEngine | LocalEngine, asked: list[Request]) -> list[str]:
    """All at once."""
    done: list[Completion] = list(await asyncio.gather(*map(engine.complete, asked)))
    return [one.text for one in done]


async def test_n_grams_change_no_answer_with_grammars_or_adapters(
    tiny: Tiny, server: Serving, here: LocalEngine
) -> None:
    """Base and two adapters in one batch, held to a grammar: letter by letter what this process answers."""
    asked = [request(name, text) for name in (None, *NAMES) for text in TEXTS]
    async with engine_on(tiny, server) as engine:
        there = await answers(engine, asked)
    assert there == await answers(here, asked)
    by_adapter = {tuple(there[at : at + len(TEXTS)]) for at in range(0, len(there), len(TEXTS))}
    assert len(by_adapter) == 3, "adapters that answer alike would prove nothing"
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        drafted = (await client.get(f"{server.command.url}/metrics")).text
    assert any(
        line.startswith("vllm:spec_decode_num_accepted_tokens_total") and float(line.split()[-1]) > 0
        for line in drafted.splitlines()
    ), "no draft was accepted: nothing was tried"


async def test_a_cached_prompt_is_none_of_another_adapter(tiny: Tiny, server: Serving, here: LocalEngine) -> None:
    """One name, one prompt, adapters swapped between: what the first left in the cache is not read for the second."""
    url = server.command.url
    async with (
        engine_on(tiny, server) as engine,
        httpx.AsyncClient(base_url=url, timeout=120, trust_env=False) as client,
    ):
        swapped = VllmEngine(engine.pool, base="", served={"swap": "swap"})
        seen = []
        for name in (*NAMES, "third", NAMES[0]):
            body = {"lora_name": "swap", "lora_path": str(tiny.adapters[name])}
            (await client.post("/v1/load_lora_adapter", json=body)).raise_for_status()
            asked = request("swap", TEXTS[2])
            twice = [await answers(swapped, [asked]) for _ in range(2)]
            expected = await answers(here, [replace(asked, adapter=name)])
            assert twice == [expected] * 2, name
            seen += expected
            (await client.post("/v1/unload_lora_adapter", json={"lora_name": "swap"})).raise_for_status()
    assert len(set(seen)) == 3
    assert seen[0] == seen[3]


async def test_a_context_that_is_one_token_too_short(tiny: Tiny, server: Serving) -> None:
    """A prompt that leaves one token gets one; one token longer, it is refused in words, and nothing hangs."""
    async with engine_on(tiny, server) as engine:
        fits = await _prompt(engine, CONTEXT - 1)
        done = await engine.complete(Request((fits,), max_tokens=8))
        assert (done.cost.prompt_tokens, done.cost.answer_tokens, done.truncated) == (CONTEXT - 1, 1, True)
        with pytest.raises(UserError, match=f"a prompt of {CONTEXT} tokens and an answer do not fit the {CONTEXT}"):
            await engine.complete(Request((await _prompt(engine, CONTEXT),), max_tokens=8))


async def _prompt(engine: VllmEngine, tokens: int) -> Message:
    """A message whose chat has so many tokens; a letter more is a token more."""
    base = next(iter(engine.pool.servers[0].models))

    async def count(letters: int) -> int:
        body = {"messages": [{"role": "user", "content": "~" * letters}], "add_generation_prompt": True}
        return int((await engine.pool.post(base, "/tokenize", body))["count"])

    letters = tokens - await count(0)
    assert await count(letters) == tokens
    return Message("user", "~" * letters)


async def test_a_server_started_again_with_another_adapter_is_refused(
    python: str, tiny: Tiny, server: Serving, tmp_path: Path
) -> None:
    """The same port, the same name: the engine that was open takes no answer of it, and a new one is not made."""
    changed = replace(tiny, configuration=configured(tiny.base, {**tiny.adapters, "one": tiny.adapters["third"]}))
    port = int(server.command.url.rsplit(":", 1)[1])
    async with engine_on(tiny, server) as engine:
        assert await answers(engine, [request("one", TEXTS[0])])
        # The module's server; this test is its last.
        await asyncio.to_thread(stop, [server])
        with serving([command(python, changed, port)], tmp_path, patience_s=300) as again:
            with pytest.raises(UserError, match="runs another adapter under the name"):
                await answers(engine, [request("one", TEXTS[0])])
            assert await answers(engine, [request("two", TEXTS[0])])
            with pytest.raises(UserError, match="runs another adapter under the name"):
                async with engine_on(tiny, again[0]):
                    pass
