"""Base models that a run gets while it is under way, for judges that are put in place meanwhile."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medner.agents.engines.composite import CompositeEngine
from medner.agents.engines.engine import Encoder, Engine
from medner.agents.engines.vllm.engine import VllmEngine
from medner.core.errors import UserError
from medner.core.findings import errors_among
from medner.core.memory import in_gb
from medner.service.build.engines import EngineFactory, EngineOrder
from medner.service.build.served_spans import span_server, wanted_of
from medner.service.config.bases import base_name
from medner.service.config.configuration import Configuration
from medner.service.config.judges import JudgeConfig
from medner.service.config.number_format import settled_dtype
from medner.store.models import base_model_folder

if TYPE_CHECKING:
    from medner.agents.taggers.spans.served.states import SpanServer


@dataclass(frozen=True, slots=True)
class FurtherBases:
    """Loads base models for the judges of a run, or finds them on its servers (``remote``).

    Their engines are added to ``engines``, by the base model's name or path, and stay until the run ends. ``turn`` is
    what the engines of this process share. ``needs_folder`` False: the caller's engines need no model's folder.
    """

    configuration: Configuration
    factory: EngineFactory
    engines: dict[str, Engine]
    turn: threading.Lock
    remote: VllmEngine | None = None
    needs_folder: bool = True
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def bring(self, base: str, judge: JudgeConfig) -> None:
        """Brings the base model of a judge. UserError where it is not to be had, or does not fit into memory.

        Judges that need hidden states have it in this process also beside servers.
        """
        async with self._one_at_a_time:
            if can_run(judge, self.engines.get(base)):
                return
            if self.remote is None:
                self.engines[base] = await self._loaded(base, judge)
                return
            if not judge.needs_hidden_states and not await self.remote.pool.serves(base_name(base)):
                raise UserError(
                    f"this judge runs on the base model {base_name(base)}, which no server has; start one (medner "
                    f"serve-models --judge {judge.kind}@{base_name(base)}), or take a judge on another base model"
                )
            local = await self._loaded(base, judge) if judge.needs_hidden_states else None
            self.engines[base] = joined(self.remote.on(base_name(base)), local)

    async def span_server(self, judge: JudgeConfig) -> SpanServer | None:
        """Who asks the run's servers for the span tagger that a judge reads with; None where they do not run it."""
        vllm = self.configuration.engine.vllm
        if self.remote is None or vllm is None or vllm.span_taggers != "vllm":
            return None
        from medner.agents.taggers.spans.served.checks import check_span_servers  # noqa: PLC0415  heavy

        wanted = wanted_of(judge, self.configuration)
        if wanted is None or not await self.remote.pool.serves(wanted.model):
            return None
        found = await check_span_servers(self.remote.pool, [wanted])
        base = judge.own_base or self.configuration.model
        return None if errors_among(found) or not found else span_server(wanted.model, base, self.remote)

    async def _loaded(self, base: str, judge: JudgeConfig) -> Engine:
        folder = base_model_folder(base) if self.needs_folder else None
        if folder is not None:
            await asyncio.to_thread(self._check_memory, base, folder, judge)
        order = EngineOrder(folder, {}, self.configuration.max_rows, self.configuration.dtype, self.turn)
        return await asyncio.to_thread(self.factory, order)

    def _check_memory(self, base: str, folder: Path, judge: JudgeConfig) -> None:
        from medner.agents.engines.local.memory import base_memory, free_for_models  # noqa: PLC0415  heavy

        adapters = [] if judge.folder is None else [judge.folder]
        need, free = base_memory(folder, adapters, settled_dtype(self.configuration, folder)), free_for_models()
        if free is not None and need > free:
            raise UserError(
                f"this judge runs on the base model {base_name(base)}, which takes about {in_gb(need)} of memory, and "
                f"{in_gb(free)} are free; take a judge on a base model that is loaded already"
            )


def can_run(judge: JudgeConfig, engine: Engine | None) -> bool:
    """Whether an engine has what a judge needs of its base model."""
    return engine is not None and (isinstance(engine, Encoder) or not judge.needs_hidden_states)


def joined(remote: Engine, local: Engine | None) -> Engine:
    """An engine that writes on servers, and gives hidden states from this process where a model is loaded here."""
    if local is None:
        return remote
    if not isinstance(local, Encoder):
        raise UserError("this engine gives no hidden states, which a span tagger is made of")
    return CompositeEngine(remote, local)
