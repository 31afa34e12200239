"""The engines of a run: one a base model, in this process, on servers, or both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from medner.agents.engines.engine import Engine
from medner.core.errors import UserError
from medner.core.memory import in_gb
from medner.service.build.engines import EngineFactory, EngineOrder
from medner.service.build.further_bases import FurtherBases, joined
from medner.service.build.server_names import served_names
from medner.service.build.vllm_engine import vllm_engine
from medner.service.config.bases import base_name
from medner.service.config.configuration import Configuration
from medner.service.config.number_format import settled_dtype
from medner.service.config.plugins import NoEngine
from medner.store.models import base_model_folder


@dataclass(frozen=True, slots=True)
class Engines:
    """What runs the base model of a run, and what runs the further ones, by their names or paths."""

    main: Engine
    others: Mapping[str, Engine] = field(default_factory=dict)
    further: FurtherBases | None = None

    async def close(self) -> None:
        """Ends all; requests under way fail."""
        for engine in (*self.others.values(), self.main):
            await engine.close()


def bases_here(configuration: Configuration) -> tuple[str, ...]:
    """The base models that run in this process, that of the run first: all that are asked, or what needs hidden states.

    Plugins and rules alone do without.
    """
    local, chosen, exemplars = configuration.engine.is_local, configuration.filter, configuration.exemplars
    served = configuration.served_spans
    asked = {
        agent.own_base or configuration.model
        for agent in (*configuration.asked, *configuration.judge.in_order)
        if agent not in served and (agent.needs_hidden_states or (local and agent.asks_model))
    }
    on_servers = configuration.served_candidates is not None
    if chosen is not None and not on_servers and (chosen.needs_hidden_states or (local and chosen.asks_model)):
        asked.add(configuration.model)
    if exemplars is not None and exemplars.nearest > 0 and exemplars.embedder is None:
        asked.add(configuration.model)
    return tuple(base for base in (configuration.model, *configuration.bases) if base in asked)


def needs_local(configuration: Configuration) -> bool:
    """Whether any base model runs in this process."""
    return bool(bases_here(configuration))


def needs_model(configuration: Configuration) -> bool:
    """Whether the base model of the run runs in this process; each agent may have another of its own."""
    return configuration.model in bases_here(configuration)


async def run_engines(
    configuration: Configuration, model: Path | None, names: Mapping[Path, str], factory: EngineFactory
) -> Engines:
    """The engines of a configuration, with adapters loaded under ``names``. ``model`` is the folder of the run's base.

    UserError where something is missing, or where several base models do not fit into memory together.
    """
    turn = threading.Lock()
    async with AsyncExitStack() as closing:
        here = await loaded(configuration, engine_orders(configuration, model, names, turn=turn), factory)
        for engine in here.values():
            closing.push_async_callback(engine.close)
        main: Engine = here.get(configuration.model, NoEngine())
        others, remote = _without(here, configuration.model), None
        if not configuration.engine.is_local:
            remote = await vllm_engine(configuration, names)
            closing.push_async_callback(remote.close)
            others = {base: joined(remote.on(base_name(base)), here.get(base)) for base in configuration.bases}
            main = joined(remote, here.get(configuration.model))
        needs_folder = model is not None or not needs_model(configuration)
        further = FurtherBases(configuration, factory, others, turn, remote, needs_folder)
        closing.pop_all()  # from here on the caller closes the engines
        return Engines(main, others, further)


async def loaded(
    configuration: Configuration, orders: Mapping[str, EngineOrder], factory: EngineFactory
) -> dict[str, Engine]:
    """An engine for each base model. UserError, before any is loaded, where they do not fit into memory together."""
    if len(orders) > 1 and all(order.model is not None for order in orders.values()):
        from medner.agents.engines.local.memory import free_for_models  # noqa: PLC0415  heavy

        check_memory(configuration, orders, free_for_models())
    here: dict[str, Engine] = {}
    try:
        for base, order in orders.items():
            here[base] = await asyncio.to_thread(factory, order)
    except BaseException:
        for engine in here.values():
            await engine.close()
        raise
    return here


def engine_orders(
    configuration: Configuration,
    model: Path | None,
    names: Mapping[Path, str],
    bases: Sequence[str] | None = None,
    *,
    turn: threading.Lock | None = None,
) -> dict[str, EngineOrder]:
    """What each base model in this process is built from, by its name or path; ``bases`` None: :func:`bases_here`.

    ``turn`` is what their engines share; None: one is made where there are several.
    """
    bases = bases_here(configuration) if bases is None else bases
    elsewhere = set() if configuration.engine.is_local else set(served_names(configuration))
    elsewhere |= {agent.folder for agent in configuration.served_spans if agent.folder is not None}
    if configuration.served_candidates is not None:
        elsewhere.add(configuration.served_candidates)
    owners = dict(_owners(configuration))
    turn = turn or (threading.Lock() if len(bases) > 1 else None)
    # Without the folder of its own model the caller brings an engine that needs none.
    unknown = model is None and configuration.model in bases
    orders = {}
    for base in bases:
        folder = model if base == configuration.model else None if unknown else base_model_folder(base)
        mine = {
            name: adapter
            for adapter, name in names.items()
            if adapter not in elsewhere and owners.get(adapter, configuration.model) == base
        }
        # Each sentence asks all taggers of a base at the same time: their rows should share a pass.
        asked = sum((tagger.own_base or configuration.model) == base for tagger in configuration.asked)
        at_once = configuration.concurrency * max(1, asked)
        orders[base] = EngineOrder(folder, mine, configuration.max_rows, configuration.dtype, turn, at_once)
    return orders


def memory_needs(configuration: Configuration, orders: Mapping[str, EngineOrder]) -> dict[str, float]:
    """The bytes that each base model takes with its adapters."""
    from medner.agents.engines.local.memory import base_memory  # noqa: PLC0415  heavy

    needs = {}
    for base, order in orders.items():
        if order.model is not None:
            number_format = settled_dtype(configuration, order.model)
            needs[base] = base_memory(order.model, order.adapters.values(), number_format)
    return needs


def memory_in_words(configuration: Configuration, model: Path | None, names: Mapping[Path, str]) -> str:
    """What loading several base models takes, and what is free."""
    from medner.agents.engines.local.memory import PROCESS, free_for_models  # noqa: PLC0415  heavy

    needs, free = memory_needs(configuration, engine_orders(configuration, model, names)), free_for_models()
    told = ", ".join(f"{base_name(base)} {in_gb(need)}" for base, need in needs.items())
    there = "" if free is None else f"; {in_gb(free)} are free"
    return f"{len(needs)} base models take about {in_gb(sum(needs.values()) + PROCESS)} of memory ({told}){there}"


def check_memory(configuration: Configuration, orders: Mapping[str, EngineOrder], free: float | None) -> None:
    """UserError where the base models do not fit together into what is ``free``; it says what would."""
    from medner.agents.engines.local.memory import PROCESS  # noqa: PLC0415  heavy

    needs = memory_needs(configuration, orders)
    whole = sum(needs.values()) + PROCESS
    if free is None or whole <= free:
        return
    told = ", ".join(f"{base_name(base)} {in_gb(need)}" for base, need in needs.items())
    raise UserError(
        f"{len(needs)} base models take about {in_gb(whole)} of memory ({told}), and {in_gb(free)} are free; take "
        "taggers and judges of one base model (--taggers, --judge, base), or a smaller number format (--dtype int8)"
    )


def _owners(configuration: Configuration) -> Iterator[tuple[Path, str]]:
    """The base model that each adapter stands on."""
    for agent in (*configuration.asked, *configuration.judge.in_order):
        if agent.folder is not None:
            yield agent.folder, agent.own_base or configuration.model


def _without(engines: Mapping[str, Engine], base: str) -> dict[str, Engine]:
    return {name: engine for name, engine in engines.items() if name != base}
