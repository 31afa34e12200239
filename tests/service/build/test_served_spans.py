"""Span taggers of a configuration that run on servers: where each part is, who is asked, what is refused."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from medner.core.errors import UserError
from medner.core.findings import Level
from medner.core.records import Document
from medner.service.build.run_engines import bases_here, engine_orders
from medner.service.build.server_names import span_models
from medner.service.build.vllm_engine import model_needs
from medner.service.config.configuration import Configuration, validated
from medner.service.config.fingerprint import fingerprint, fingerprint_facts
from medner.service.config.frozen import freeze, thaw
from tests.agents.engines.vllm.play import Play

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
pytest.importorskip("peft")
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel
from medner.agents.engines.vllm.engine import VllmEngine
from medner.agents.engines.vllm.pool import Pool
from medner.agents.engines.vllm.server import ServerAddress
from medner.agents.taggers.spans.head import load_head
from medner.agents.taggers.spans.served.checks import WantedModel, check_span_servers, span_tagger_in
from medner.agents.taggers.spans.served.identity import identity
from medner.graph import Pipeline
from medner.service.build.pipeline import adapter_names, build_deps
from tests.tiny_model import save_tiny_model
from tests.tiny_span_tagger import SHAPE, save_tiny_span_tagger

TEXT = "患者咳嗽三天，伴发热。"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny")


@pytest.fixture(scope="module")
def folder(base: Path) -> Path:
    return save_tiny_span_tagger(base, base.parent / "a", layers=1)


def configuration(base: Path, folder: Path, engine: dict[str, Any] | None = None, **more: Any) -> Configuration:
    """A span tagger, alone or with ``more``."""
    taggers = [{"name": "a", "strategy": "span", "adapter": folder}]
    return validated({"model": str(base), "taggers": taggers, "engine": engine or {}, **more}, where="test")


SERVERS: dict[str, Any] = {"kind": "vllm", "servers": [{"url": "http://server0"}]}


def test_no_model_is_needed_here(base: Path, folder: Path) -> None:
    """The servers must have one of the label set's name, with room for the longest sentence."""
    served = configuration(base, folder, SERVERS)
    assert bases_here(served) == ()
    assert span_models(served) == {None: "cmeee-v2.spans"}
    (need,) = model_needs(served)
    assert (need.model, need.writes) == ("cmeee-v2.spans", False)
    assert need.context >= 4 * served.max_chars


def test_a_base_of_its_own_is_a_model_of_its_own(base: Path, folder: Path) -> None:
    """Named after the base, as servers list it."""
    taggers = [{"name": "a", "strategy": "span", "adapter": folder}]
    taggers.append({"name": "b", "strategy": "span", "adapter": folder, "base": str(base)})
    served = validated({"model": "other", "taggers": taggers, "engine": SERVERS}, where="test")
    assert span_models(served) == {None: "cmeee-v2.spans", str(base): "cmeee-v2.spans.tiny"}


def test_they_can_be_kept_here(base: Path, folder: Path) -> None:
    """With the engine's key; beside servers, as version 0.1.0 had it."""
    local = configuration(base, folder, {**SERVERS, "span_taggers": "local"})
    assert bases_here(local) == (str(base),)
    assert model_needs(local) == []
    assert span_models(local) == {}
    orders = engine_orders(local, base, adapter_names(local))
    assert orders[str(base)].adapters == {"a": folder}
    served = configuration(base, folder, SERVERS)
    assert engine_orders(served, base, adapter_names(served), [str(base)])[str(base)].adapters == {}
    assert fingerprint(local) != fingerprint(served)


def test_a_configuration_frozen_before_means_what_it_meant(base: Path, folder: Path) -> None:
    """Without the key it was frozen by a version that ran span taggers in the worker."""
    frozen = freeze(configuration(base, folder, SERVERS))
    assert thaw(frozen).served_spans
    del frozen["engine"]["span_taggers"]
    before = thaw(frozen)
    assert before.served_spans == ()
    assert "span_taggers" not in fingerprint_facts(before)


def played(*numbers: float) -> Play:
    """A server with a model that gives each token these numbers."""
    return Play({"cmeee-v2.spans": 1_280}, token_numbers=numbers)


def pool_of(play: Play) -> Pool:
    return Pool([ServerAddress("http://server0")], transport=lambda _: httpx.MockTransport(play), attempts=1)


async def findings(base: Path, folder: Path, play: Play) -> list[tuple[Level, str]]:
    """What is found about a server."""
    pool = pool_of(play)
    await pool.open()
    wanted = WantedModel("span tagger a", folder, "cmeee-v2.spans", partial(span_tagger_in, folder, "tiny"))
    found = await check_span_servers(pool, [wanted])
    await pool.close()
    return [(finding.level, finding.line()) for finding in found]


async def test_who_runs_there_is_looked_at(base: Path, folder: Path) -> None:
    """The right tagger, another one under the name, another width, another kind of model, none at all."""
    who, inner = identity(folder, "tiny"), SHAPE.inner
    ((level, line),) = await findings(base, folder, played(*who, inner, *range(inner)))
    assert (level, line) == (Level.OK, f"http://server0: runs the span tagger a with the weights of {folder}")
    other = identity(folder, "another base")
    ((level, line),) = await findings(base, folder, played(*other, inner, *range(inner)))
    assert level is Level.ERROR
    assert f"tagger a: the model cmeee-v2.spans runs other span taggers ({other.hex()})" in line
    ((level, line),) = await findings(base, folder, played(*who, 2, 0.0, 0.0))
    assert (level, f"gives 2 numbers a token, this tagger has {inner}" in line) == (Level.ERROR, True)
    ((level, line),) = await findings(base, folder, played(*(0.5,) * 64))
    assert (level, "gives no states of span taggers" in line) == (Level.ERROR, True)
    assert await findings(base, folder, Play({"base": 4_096})) == []


class Computing(Play):
    """A server that computes: the tagger's model in this process, by its own head."""

    def __init__(self, base: Path, folder: Path) -> None:
        super().__init__({"cmeee-v2.spans": 1_280})
        self.model, self.head = LocalModel(base, {"a": folder}, dtype=torch.float32), load_head(folder)
        self.who = identity(folder, "tiny")

    async def numbers(self, tokens: list[int]) -> torch.Tensor:
        """A tagger's part of an answer."""
        engine = LocalEngine(self.model)
        states = self.head.token_states(await engine.encode(tokens, adapter="a", two_way_from=1, layers=1))
        await engine.close()
        header = torch.tensor([*self.who, states.shape[1]], dtype=torch.float32)
        return torch.cat([header.expand(len(states), -1), states], dim=1)


class Asking(VllmEngine):
    """An engine whose server is the one above."""

    def __init__(self, server: Computing) -> None:
        super().__init__(pool_of(server), base="tiny")
        self._server = server

    async def pool_tokens(self, model: str, tokens: Any) -> torch.Tensor:
        assert model == "cmeee-v2.spans"
        return await self._server.numbers(list(tokens))


async def test_the_entities_are_those_of_a_run_here(base: Path, folder: Path) -> None:
    """Filter by scores and all; only the states come from elsewhere."""
    more: dict[str, Any] = {"filter": {"kind": "span"}, "judge": {"kind": "filter-score"}, "dtype": "f32"}
    served, local = configuration(base, folder, SERVERS, **more), configuration(base, folder, **more)
    engine = LocalEngine(LocalModel(base, {"a": folder}, dtype=torch.float32))
    documents = []
    for chosen, running in ((served, Asking(Computing(base, folder))), (local, engine)):
        pipeline = Pipeline(build_deps(chosen, running), concurrency=4)
        documents.append(await pipeline.annotate_document(Document("d", TEXT)))
        await running.close()
    assert documents[0].entities == documents[1].entities
    assert documents[0].entities


def test_an_engine_without_servers_is_refused(base: Path, folder: Path) -> None:
    """Before anything is asked."""
    from medner.agents.engines.scripted import ScriptedEngine

    with pytest.raises(UserError, match="has no servers that run span taggers"):
        build_deps(configuration(base, folder, SERVERS), ScriptedEngine(lambda _: ""))
