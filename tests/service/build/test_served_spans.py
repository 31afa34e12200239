"""Span taggers of a configuration that run on servers: where each part is, who is asked, what is refused."""

from __future__ import annotations

import threading
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
from medner.service.config.configuration import Configuration, ConflictsConfig, validated
from medner.service.config.fingerprint import fingerprint, fingerprint_facts
from medner.service.config.frozen import freeze, thaw
from medner.service.config.judges import EvidenceJudgeConfig
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
from medner.agents.filters.candidates.asking import ServedCandidateFilter
from medner.agents.taggers.spans.head import load_head
from medner.agents.taggers.spans.served.checks import WantedModel, check_span_servers, span_tagger_in
from medner.agents.taggers.spans.served.identity import identity
from medner.agents.taggers.spans.settings import read_settings
from medner.graph import Pipeline
from medner.service.build.further_bases import FurtherBases
from medner.service.build.judges import build_judge_chain
from medner.service.build.pipeline import adapter_names, build_deps, judge_parts
from medner.service.build.served_spans import wanted_models
from tests.tiny_filter import save_tiny_filter
from tests.tiny_model import save_tiny_model
from tests.tiny_span_tagger import SHAPE, save_tiny_evidence_judge, save_tiny_span_tagger

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
    assert (level, "does not score as medner's do" in line) == (Level.ERROR, True)
    assert await findings(base, folder, Play({"base": 4_096})) == []


class Computing(Play):
    """A server that computes: the models of span taggers in this process, each by its own head."""

    def __init__(self, base: Path, *folders: Path) -> None:
        super().__init__({"cmeee-v2.spans": 1_280})
        self.folders = folders
        self.model = LocalModel(base, {one.name: one for one in folders}, dtype=torch.float32)

    async def numbers(self, tokens: list[int]) -> torch.Tensor:
        """An answer, a part a tagger."""
        engine, parts = LocalEngine(self.model), []
        for folder in self.folders:
            settings = read_settings(folder)
            hidden = await engine.encode(
                tokens, adapter=folder.name, two_way_from=settings.two_way_from, layers=settings.layers
            )
            states = load_head(folder).token_states(hidden)
            header = torch.tensor([*identity(folder, "tiny"), states.shape[1]], dtype=torch.float32)
            parts += [header.expand(len(states), -1), states]
        await engine.close()
        return torch.cat(parts, dim=1)


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


def judged(
    base: Path, folder: Path, engine: dict[str, Any] | None = None, reads_on: str | None = None
) -> Configuration:
    """A tagger, and a judge that reads."""
    judge = {"kind": "evidence", "source": folder.parent / "judge", "base": reads_on}
    return configuration(base, folder, engine, filter={"kind": "span"}, judge=judge, dtype="f32")


@pytest.fixture(scope="module")
def judge_folder(base: Path, folder: Path) -> Path:
    return save_tiny_evidence_judge(base, folder.parent / "judge", seed=7)


@pytest.mark.usefixtures("judge_folder")
def test_a_judge_that_reads_needs_no_model_here(base: Path, folder: Path) -> None:
    """On the taggers' base it is in their model, on a base of its own in another; or here, as the engine's key says."""
    same = judged(base, folder, SERVERS)
    assert (bases_here(same), span_models(same)) == ((), {None: "cmeee-v2.spans"})
    assert [one.who for one in wanted_models(same)] == ["span tagger a", "judge judge"]
    apart = judged(base, folder, SERVERS, "/models/large")
    names = {None: "cmeee-v2.spans", "/models/large": "cmeee-v2.spans.large"}
    assert (bases_here(apart), span_models(apart)) == ((), names)
    assert [need.model for need in model_needs(apart)] == ["cmeee-v2.spans", "cmeee-v2.spans.large"]
    here = judged(base, folder, {**SERVERS, "span_taggers": "local"})
    assert (bases_here(here), wanted_models(here)) == ((str(base),), [])


async def test_the_verdicts_are_those_of_a_run_here(base: Path, folder: Path, judge_folder: Path) -> None:
    """The judge reads what a server says of the sentence."""
    served, local = judged(base, folder, SERVERS), judged(base, folder)
    computing = Computing(base, folder, judge_folder)
    engine = LocalEngine(LocalModel(base, {"a": folder, "judge": judge_folder}, dtype=torch.float32))
    documents = []
    for chosen, running in ((served, Asking(computing)), (local, engine)):
        asking = chosen.model_copy(update={"conflicts": ConflictsConfig(doubtful=1.0)})
        pipeline = Pipeline(build_deps(asking, running), concurrency=4)
        documents.append(await pipeline.annotate_document(Document("d", TEXT)))
        await running.close()
    there, here = ([verdict for one in document.annotations for verdict in one.verdicts] for document in documents)
    assert there
    assert [(one.kept, one.mode) for one in there] == [(one.kept, one.mode) for one in here]
    assert {one.mode for one in there} == {"evidence-read-1"}
    assert [one.scores for one in there] == [one.scores for one in here]


async def test_a_judge_put_in_place_reads_where_servers_run_it(base: Path, folder: Path, judge_folder: Path) -> None:
    """While a run is under way: no model is loaded here. Where no server runs it, one is."""
    orders: list[Any] = []

    def factory(order: Any) -> LocalEngine:
        orders.append(order)
        return LocalEngine(LocalModel(base, {}, dtype=torch.float32))

    chosen = configuration(base, folder, SERVERS)
    late = EvidenceJudgeConfig(source=judge_folder)
    for there, loaded in ((judge_folder, 0), (folder, 1)):
        pool = pool_of(played(*identity(there, "tiny"), SHAPE.inner, *range(SHAPE.inner)))
        await pool.open()
        remote = VllmEngine(pool, base="tiny")
        others: dict[str, Any] = {}
        further = FurtherBases(chosen, factory, others, threading.Lock(), remote)
        parts = judge_parts(chosen, remote, others, further)
        await parts.load_adapters(late)
        build_judge_chain(late, parts)
        assert (len(orders), judge_folder in parts.spans) == (loaded, not loaded)
        for engine in others.values():
            await engine.close()
        await pool.close()


def cls(base: Path, folder: Path, engine: dict[str, Any] | None = None) -> Configuration:
    """A tagger, and the filter llm-cls."""
    return configuration(base, folder, engine, filter={"kind": "llm-cls", "adapter": folder.parent / "cls"})


def test_the_filter_needs_no_model_here_either(base: Path, folder: Path) -> None:
    """It has a model of its own on the servers, with room for a sentence and its candidates; doctor looks whose."""
    save_tiny_filter(base, folder.parent / "cls")
    served, local = cls(base, folder, SERVERS), cls(base, folder)
    assert bases_here(served) == ()
    (spans, filtering) = model_needs(served)
    assert (spans.model, filtering.model) == ("cmeee-v2.spans", "cmeee-v2.llm-cls")
    assert filtering.context >= max(2_048, 8 * served.max_chars)
    assert [one.who for one in wanted_models(served)] == ["span tagger a", "filter cls"]
    orders = engine_orders(served, base, adapter_names(served), [str(base)])
    assert orders[str(base)].adapters == {}
    made = build_deps(served, Asking(Computing(base, folder))).filter
    assert isinstance(made, ServedCandidateFilter)
    assert (made.threshold, made.temperature, made.server.model) == (0.4, 1.5, "cmeee-v2.llm-cls")
    kept_here = cls(base, folder, {**SERVERS, "span_taggers": "local"})
    assert bases_here(kept_here) == bases_here(local) == (str(base),)
    assert len({fingerprint(one) for one in (served, kept_here, local)}) == 3
    from medner.agents.engines.scripted import ScriptedEngine

    with pytest.raises(UserError, match="has no servers that run"):
        build_deps(served, ScriptedEngine(lambda _: ""))


def test_an_engine_without_servers_is_refused(base: Path, folder: Path) -> None:
    """Before anything is asked."""
    from medner.agents.engines.scripted import ScriptedEngine

    with pytest.raises(UserError, match="has no servers that run span taggers"):
        build_deps(configuration(base, folder, SERVERS), ScriptedEngine(lambda _: ""))
