"""From a configuration to a pipeline that runs: the engine, the agents, the graph."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from medner.agents.engines.composite import CompositeEngine
from medner.agents.engines.engine import Encoder, Engine
from medner.agents.exemplars import ExemplarSource, FixedExemplars
from medner.agents.filters import Filter, ScoresSpans, SpanFilter
from medner.agents.joined_lines import LineJoiningFilter, LineJoiningSpanTagger, LineJoiningTagger
from medner.agents.prompts.shots import load_shots
from medner.agents.strategies import CODECS
from medner.agents.taggers.tagger import GenerativeTagger, ScoringTagger, Tagger
from medner.core.errors import UserError
from medner.core.files.names import CARD
from medner.core.labels import LabelSet
from medner.core.plugins import Group, is_plugin
from medner.graph import Deps, Pipeline
from medner.graph.tracing import Tracer
from medner.service.build.engines import EngineFactory, EngineOrder, local_engine
from medner.service.build.exemplars import planned_exemplars
from medner.service.build.filters import build_filter, engine_adapter
from medner.service.build.judges import JudgeParts, build_judge_chain, free_name
from medner.service.build.plugins import NoEngine, filter_of_plugin, plugin_needs_engine, tagger_of_plugin
from medner.service.build.server_names import served_filter, served_names
from medner.service.build.trained_judges import judge_adapters
from medner.service.build.vllm_engine import vllm_engine
from medner.service.config.cards import check_base, check_card, filter_card, judge_card
from medner.service.config.configuration import Configuration, TaggerConfig, is_path
from medner.service.config.recorded import recorded_taggers


@asynccontextmanager
async def assembled(
    configuration: Configuration,
    *,
    model: Path | None = None,
    engine_factory: EngineFactory = local_engine,
    tracer: Tracer | None = None,
) -> AsyncIterator[Pipeline]:
    """A pipeline with its engine running; the engine is closed at the end. Nothing is pulled.

    ``model`` is the base model's folder (:func:`model_folder`), ``tracer`` what keeps traces.
    """
    async with assembled_parts(configuration, model=model, engine_factory=engine_factory) as made:
        yield Pipeline(made.deps, concurrency=configuration.concurrency, tracer=tracer)


@dataclass(frozen=True, slots=True)
class Assembled:
    """The agents of a configuration, and what further judges can be built from while they run."""

    deps: Deps
    parts: JudgeParts


@asynccontextmanager
async def assembled_parts(
    configuration: Configuration, *, model: Path | None = None, engine_factory: EngineFactory = local_engine
) -> AsyncIterator[Assembled]:
    """The agents with their engine running, for callers that change judges or trace apart; as :func:`assembled`."""
    # First: nobody should wait for a model to learn that a folder is of another label set.
    check_adapters(configuration)
    exemplars = await asyncio.to_thread(planned_exemplars, configuration, model)
    engine = await _engine(configuration, model, engine_factory)
    try:
        parts = judge_parts(configuration, engine)
        try:
            deps = build_deps(configuration, engine, exemplars(engine), parts=parts)
            await parts.connections.open()
            yield Assembled(deps, parts)
        finally:
            await parts.connections.close()
    finally:
        await engine.close()


async def _engine(configuration: Configuration, model: Path | None, factory: EngineFactory) -> Engine:
    """The engine of a configuration: in this process, on servers, or both where a span tagger stands beside servers."""
    names = adapter_names(configuration)
    if configuration.engine.kind == "local" and not asks_model(configuration):
        return NoEngine()
    if configuration.engine.kind == "local":
        adapters = {name: folder for folder, name in names.items()}
        order = EngineOrder(model, adapters, configuration.max_rows, configuration.dtype)
        return await asyncio.to_thread(factory, order)
    remote = await vllm_engine(configuration, names)
    if not needs_local(configuration):
        return remote
    elsewhere = served_names(configuration)
    mine = {name: folder for folder, name in names.items() if folder not in elsewhere}
    try:
        order = EngineOrder(model, mine, configuration.max_rows, configuration.dtype)
        local = await asyncio.to_thread(factory, order)
    except BaseException:
        await remote.close()
        raise
    if not isinstance(local, Encoder):
        raise UserError("this engine gives no hidden states, which a span tagger is made of")
    return CompositeEngine(remote, local)


def asks_model(configuration: Configuration) -> bool:
    """Whether any agent runs on the base model: plugins and rules alone do without."""
    chosen, exemplars = configuration.filter, configuration.exemplars
    plugins: list[tuple[Group, str]] = [("taggers", one.strategy) for one in configuration.asked]
    plugins += [("judges", one.kind) for one in configuration.judge.in_order]
    if chosen is not None:
        plugins.append(("filters", chosen.kind))
    return (
        any(not is_plugin(one.strategy) for one in configuration.asked)
        or (chosen is not None and not is_plugin(chosen.kind) and chosen.kind not in ("span", "bert-cls"))
        or configuration.judge.needs_base
        or (exemplars is not None and exemplars.nearest > 0 and exemplars.embedder is None)
        or any(plugin_needs_engine(group, kind) for group, kind in plugins if is_plugin(kind))
    )


def needs_local(configuration: Configuration) -> bool:
    """Whether something runs the base model in this process: all of it, or what needs hidden states."""
    chosen, exemplars = configuration.filter, configuration.exemplars
    return (
        (configuration.engine.kind == "local" and asks_model(configuration))
        or any(tagger.strategy == "span" for tagger in configuration.asked)
        or (chosen is not None and chosen.kind == "llm-cls" and chosen.exported is None)
        or any(judge.kind == "trained" for judge in configuration.judge.in_order)
        or (exemplars is not None and exemplars.nearest > 0 and exemplars.embedder is None)
    )


def check_adapters(configuration: Configuration) -> None:
    """UserError for a tagger, filter or judge that was trained for another label set or on another base model."""
    labels = configuration.label_set.name
    # What a path is called says nothing of what lies there; weights that do not fit are refused when they are loaded.
    model = None if is_path(configuration.model) else configuration.model
    for tagger in configuration.taggers:
        if tagger.adapter is not None:
            check_card(tagger.adapter, labels=labels, model=model)
    chosen = configuration.filter
    if chosen is not None and chosen.adapter is not None and (chosen.adapter / CARD).is_file():
        card = filter_card(chosen.adapter)
        if card.kind != "bert-cls":  # an encoder of its own
            check_base(chosen.adapter, card.base, model)
    for folder in judge_adapters(configuration.judge):
        if (folder / CARD).is_file():
            check_base(folder, judge_card(folder).base, model)


def adapter_names(configuration: Configuration) -> dict[Path, str]:
    """The name each adapter is loaded under: that of the first agent that uses it, so that none is loaded twice."""
    names: dict[Path, str] = {}
    for tagger in configuration.asked:
        if tagger.adapter is not None:
            names.setdefault(tagger.adapter, tagger.name)
    if configuration.filter is not None and (folder := engine_adapter(configuration.filter)) is not None:
        names.setdefault(folder, free_name("filter", names.values()))
    for folder in judge_adapters(configuration.judge):
        names.setdefault(folder, free_name("judge", names.values()))
    return names


def build_deps(
    configuration: Configuration,
    engine: Engine,
    exemplars: ExemplarSource | None = None,
    *,
    parts: JudgeParts | None = None,
) -> Deps:
    """The agents of a configuration on an engine that has its adapters loaded as :func:`adapter_names` says.

    ``exemplars`` None: the hand-written ones. ``parts`` is what its judges are built from, whose connections the
    caller opens and closes; None where they need none.
    """
    labels = configuration.label_set
    adapters = adapter_names(configuration)
    judge_chain = build_judge_chain(configuration.judge, parts or judge_parts(configuration, engine))
    said = recorded_taggers(configuration.taggers, labels)
    taggers = tuple(said.get(one.name) or _tagger(one, engine, labels, adapters) for one in configuration.taggers)
    if configuration.join_lines:
        # Recorded answers are those of the original sentences.
        taggers = tuple(one if one.name in said else _line_joining(one) for one in taggers)
    chosen = _filter(configuration, engine, labels, taggers)
    return Deps(
        labels=labels,
        taggers=taggers,
        judge=judge_chain.judges[0],
        understudies=judge_chain.judges[1:],
        filter=chosen,
        exemplars=exemplars or FixedExemplars.shipped(labels),
        min_taggers=configuration.min_taggers,
        max_chars=configuration.max_chars,
        join_lines=configuration.join_lines,
    )


def _filter(configuration: Configuration, engine: Engine, labels: LabelSet, taggers: Sequence[Tagger]) -> Filter | None:
    chosen = configuration.filter
    if chosen is None:
        return None
    if is_plugin(chosen.kind):
        made = filter_of_plugin(chosen.kind, labels, engine)
        return LineJoiningFilter(made) if configuration.join_lines else made
    if chosen.kind == "span":
        spans = tuple(tagger for tagger in taggers if isinstance(tagger, ScoresSpans))
        return SpanFilter(spans, chosen.threshold or 0.0)
    built = build_filter(chosen, engine, labels, adapter_names(configuration), served_filter(configuration))
    return LineJoiningFilter(built) if configuration.join_lines else built


def _line_joining(tagger: Tagger) -> Tagger:
    if isinstance(tagger, ScoringTagger) and isinstance(tagger, ScoresSpans):
        return LineJoiningSpanTagger(tagger)
    return LineJoiningTagger(tagger)


def judge_parts(configuration: Configuration, engine: Engine) -> JudgeParts:
    """What judges of a run are built from."""
    labels, base = configuration.label_set, Path(configuration.model).name
    return JudgeParts(labels, configuration.taggers[0].name, base, engine, adapter_names(configuration))


def _tagger(tagger: TaggerConfig, engine: Engine, labels: LabelSet, adapters: Mapping[Path, str]) -> Tagger:
    if is_plugin(tagger.strategy):
        return tagger_of_plugin(tagger.strategy, tagger.name, labels, engine)
    if tagger.strategy == "span" and tagger.adapter is not None:
        return _span_tagger(tagger.name, tagger.adapter, engine, labels, adapters[tagger.adapter])
    return GenerativeTagger(
        name=tagger.name,
        engine=engine,
        codec=CODECS[tagger.strategy],
        labels=labels,
        style=tagger.style,
        shots=load_shots(labels)[: tagger.shots],
        adapter=None if tagger.adapter is None else adapters[tagger.adapter],
        constrained=tagger.constrained,
    )


def _span_tagger(name: str, folder: Path, engine: Engine, labels: LabelSet, adapter: str) -> Tagger:
    try:
        from medner.agents.taggers.spans.settings import load_span_tagger  # noqa: PLC0415  heavy
    except ImportError as error:
        raise UserError(f"{error.name} is missing: a span tagger needs pip install 'medner[local]'") from error
    if not isinstance(engine, Encoder):
        raise UserError(f"tagger {name!r}: this engine gives no hidden states, which a span tagger is made of")
    return load_span_tagger(folder, name=name, adapter=adapter, encoder=engine, labels=labels)
