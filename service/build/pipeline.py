"""From a configuration to a pipeline that runs: the engine, the agents, the graph."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from medner.agents.engines.engine import Engine
from medner.agents.exemplars import ExemplarSource, FixedExemplars
from medner.agents.filters import Filter, ScoresSpans
from medner.agents.joined_lines import LineJoiningFilter, LineJoiningSpanTagger, LineJoiningTagger
from medner.agents.taggers.tagger import ScoringTagger, Tagger
from medner.core.files.names import CARD
from medner.graph import Deps, Pipeline
from medner.graph.tracing import Tracer
from medner.service.build.engines import EngineFactory, local_engine
from medner.service.build.exemplars import planned_exemplars
from medner.service.build.further_bases import FurtherBases
from medner.service.build.judges import JudgeParts, build_judge_chain, free_name, judge_adapters
from medner.service.build.run_engines import run_engines
from medner.service.build.served_spans import candidate_server, span_servers
from medner.service.build.server_names import served_filter
from medner.service.config.cards import check_base, check_card
from medner.service.config.configuration import Configuration, by_name
from medner.service.config.parts import Parts
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
    engines = await run_engines(configuration, model, adapter_names(configuration), engine_factory)
    try:
        parts = judge_parts(configuration, engines.main, engines.others, engines.further)
        try:
            deps = build_deps(configuration, engines.main, exemplars(engines.main), parts=parts)
            await parts.connections.open()
            yield Assembled(deps, parts)
        finally:
            await parts.connections.close()
    finally:
        await engines.close()


def check_adapters(configuration: Configuration) -> None:
    """UserError for a tagger, filter or judge that was trained for another label set or on another base model."""
    labels = configuration.label_set.name
    # What a path is called says nothing of what lies there; weights that do not fit are refused when they are loaded.
    model = by_name(configuration.model)
    for tagger in configuration.taggers:
        if tagger.folder is not None:
            check_card(tagger.folder, labels=labels, model=by_name(tagger.own_base or configuration.model))
    chosen = configuration.filter
    if chosen is not None and chosen.folder is not None and (chosen.folder / CARD).is_file():
        chosen.check(model)
    for judge in configuration.judge.in_order:
        judge.check(labels)
        if judge.folder is not None and (judge.folder / CARD).is_file():
            base = by_name(judge.own_base or configuration.model)
            check_base(judge.folder, judge.base_of_card(), base)


def adapter_names(configuration: Configuration) -> dict[Path, str]:
    """The name each adapter is loaded under: that of the first agent that uses it, so that none is loaded twice."""
    names: dict[Path, str] = {}
    for tagger in configuration.asked:
        if tagger.folder is not None:
            names.setdefault(tagger.folder, tagger.name)
    if configuration.filter is not None and (folder := configuration.filter.engine_adapter) is not None:
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
    parts = parts or judge_parts(configuration, engine)
    judge_chain = build_judge_chain(configuration.judge, parts)
    recorded = recorded_taggers(configuration.taggers, labels)
    built = Parts(labels, engine, adapters, others=parts.others, spans=parts.spans)
    taggers = tuple(recorded.get(tagger.name) or tagger.build(built) for tagger in configuration.taggers)
    if configuration.join_lines:
        # Recorded answers, and people's, are those of the original sentences.
        kept = {*recorded, *(one.name for one in configuration.taggers if one.is_person)}
        taggers = tuple(one if one.name in kept else _line_joining(one) for one in taggers)
    built = replace(built, taggers=taggers, served=served_filter(configuration))
    chosen = _filter(configuration, replace(built, candidates=candidate_server(configuration, engine)))
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
        wider=configuration.wider_conflicts,
    )


def _filter(configuration: Configuration, parts: Parts) -> Filter | None:
    chosen = configuration.filter
    if chosen is None:
        return None
    built = chosen.build(parts)
    # What taggers scored is of the original sentence already.
    joins = configuration.join_lines and not chosen.is_of_span_taggers
    return LineJoiningFilter(built) if joins else built


def _line_joining(tagger: Tagger) -> Tagger:
    if isinstance(tagger, ScoringTagger) and isinstance(tagger, ScoresSpans):
        return LineJoiningSpanTagger(tagger)
    return LineJoiningTagger(tagger)


def judge_parts(
    configuration: Configuration,
    engine: Engine,
    others: Mapping[str, Engine] | None = None,
    further: FurtherBases | None = None,
) -> JudgeParts:
    """What judges of a run are built from."""
    labels, model = configuration.label_set, configuration.model
    first, adapters = configuration.taggers[0].name, adapter_names(configuration)
    others = {} if others is None else others
    spans = span_servers(configuration, engine, others)
    return JudgeParts(labels, first, model, engine, adapters, others=others, further=further, spans=spans)
