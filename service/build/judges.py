"""From a judge's configuration to judges that run; a model is loaded or connected to only where one is asked."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.language_models import BaseChatModel

from medner.agents.engines.engine import AdapterLoader, Engine
from medner.agents.exemplars import ExemplarSource
from medner.agents.judges.engine_chat_model import EngineChatModel
from medner.agents.judges.judge import Judge
from medner.agents.judges.judge_chain import JudgeChain
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.service.build.chat_models import Connections, named_chat
from medner.service.build.engines import EngineFactory
from medner.service.build.exemplars import planned_exemplars
from medner.service.build.further_bases import FurtherBases, can_run
from medner.service.build.run_engines import engine_orders, loaded
from medner.service.config.bases import base_name
from medner.service.config.configuration import Configuration, with_own_bases
from medner.service.config.engine import LocalEngineConfig
from medner.service.config.judges import JUDGES, ChatJudgeConfig, JudgeConfig, settled_judge
from medner.service.config.plugins import NoEngine

if TYPE_CHECKING:
    from medner.agents.taggers.spans.served.states import SpanServer


@dataclass(frozen=True, slots=True)
class JudgeParts:
    """What judges are built from.

    ``first_tagger`` is whom best-tagger follows by default, ``base`` the name or path of the run's base model,
    ``engine`` what runs it (None where nothing does), ``adapters`` what names its adapters have, ``others`` what runs
    further base models, ``spans`` asks servers for span taggers, by their folders. ``further`` brings base models that
    a judge needs while the run is under way; None: nothing does. ``connections`` must be opened before a judge is
    asked.
    """

    labels: LabelSet
    first_tagger: str
    base: str
    engine: Engine | None = None
    adapters: dict[Path, str] = field(default_factory=dict)
    connections: Connections = field(default_factory=Connections)
    others: Mapping[str, Engine] = field(default_factory=dict)
    further: FurtherBases | None = None
    spans: dict[Path, SpanServer] = field(default_factory=dict)

    def settled(self, judge: JudgeConfig) -> JudgeConfig:
        """The judge, with the base model that its card names where that is another than the run's."""
        return settled_judge(judge, self.base, self.labels.name)

    async def load_adapters(self, judge: JudgeConfig) -> None:
        """Loads what a judge needs and no engine has yet: base models and adapters. UserError where it cannot."""
        for one in self.settled(judge).in_order:
            if await self._is_served(one):
                continue
            if one.asks_model and self.further is not None and not can_run(one, self._engine(one.own_base)):
                await self.further.bring(one.own_base or self.base, one)
            folder = one.folder
            if folder is None or folder in self.adapters:
                continue
            engine = self.needed_engine(one.own_base)
            if not isinstance(engine, AdapterLoader):
                raise UserError(f"{folder}: the engine here takes no further adapter while it runs")
            one.check(self.labels.name)  # says in plain words what is wrong with a folder
            name = free_name("judge", self.adapters.values())
            await engine.load_adapter(name, folder)
            self.adapters[folder] = name

    async def _is_served(self, judge: JudgeConfig) -> bool:
        """Whether servers run what a judge reads with."""
        folder = judge.span_folder
        if folder is None or self.further is None:
            return folder in self.spans
        if folder not in self.spans and (server := await self.further.span_server(judge)) is not None:
            self.spans[folder] = server
        return folder in self.spans

    def needed_engine(self, base: str | None = None) -> Engine:
        """The engine of a base model, None: of the run's; UserError where that is not loaded."""
        engine = self._engine(base)
        if engine is None:
            loaded = [*([self.base] if self._engine(None) else []), *self.others]
            raise UserError(
                f"this judge runs on the base model {base_name(base or self.base)}, which is not loaded here (loaded: "
                f"{', '.join(map(base_name, loaded)) or 'none'}); take a judge on one that is, or name this judge when "
                "the run begins (--judge)"
            )
        return engine

    def _engine(self, base: str | None) -> Engine | None:
        base = base or self.base
        engine = self.others.get(base, self.engine if base == self.base else None)
        # A run in which no agent asks its base model has none, until a judge needs it.
        return None if isinstance(engine, NoEngine) else engine

    def chat(self, judge: ChatJudgeConfig) -> tuple[BaseChatModel, str]:
        """The chat model that a judge asks, and its name. UserError where it cannot be made."""
        if judge.model is not None:
            return named_chat(judge, self.connections)
        engine, name = self.needed_engine(judge.own_base), base_name(judge.own_base or self.base)
        return EngineChatModel(engine=engine, model_name=name, max_tokens=judge.max_tokens), name


@dataclass(frozen=True, slots=True)
class Naming:
    """What a judge is called in verdicts."""

    name: str
    version: str


def build_judge_chain(judge: JudgeConfig, parts: JudgeParts, naming: Naming | None = None) -> JudgeChain:
    """The judge, under a name of its own if there is one, and those that step in. UserError when one cannot be made."""
    judge = parts.settled(judge)
    if naming is None and judge.name is not None:
        naming = Naming(judge.name, judge.version or _digest(judge))
    first = _build(judge, parts, naming)
    return JudgeChain((first, *(_build(one, parts, None) for one in judge.fallback)))


def _build(judge: JudgeConfig, parts: JudgeParts, naming: Naming | None) -> Judge:
    """One judge. Without a name it is called after its rule or model, with a hash of its configuration as version."""
    if naming is None:
        return judge.build(parts, None, _digest(judge))
    return judge.build(parts, naming.name, naming.version)


def judge_adapters(judge: JudgeConfig) -> tuple[Path, ...]:
    """The adapters that the engine must load for a judge and those that step in for it."""
    return tuple(one.folder for one in judge.in_order if one.folder is not None)


def _digest(judge: JudgeConfig) -> str:
    """Six digits that change with the judge's configuration; where it lies and how often it tries change nothing."""
    facts = JUDGES.in_full(judge, judge.model_dump(mode="json", exclude={"fallback"}))
    for key in ("name", "version", "fallback", "adapter", "attempts", "timeout_s", "key_env", "url"):
        facts.pop(key, None)
    if judge.own_base is not None:
        facts["base"] = base_name(judge.own_base)
    written = json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()[:6]


def free_name(kind: str, taken: Iterable[str]) -> str:
    """A name for an adapter that no other has."""
    taken = set(taken)
    return next(name for name in (f"{kind}{number or ''}" for number in count()) if name not in taken)


def judge_bases(configuration: Configuration) -> tuple[str, ...]:
    """The base models that the judges of a configuration, and what they are shown, need in this process."""
    configuration = with_own_bases(configuration)
    judge, shown = configuration.judge, configuration.exemplars
    bases = [one.own_base or configuration.model for one in judge.in_order if one.asks_model]
    nearest = shown is not None and shown.nearest > 0 and shown.embedder is None
    if nearest and any(one.chats for one in judge.in_order):
        bases.append(configuration.model)
    return tuple(dict.fromkeys(bases))


def needs_base_model(configuration: Configuration) -> bool:
    """Whether the judges of a configuration, or what they are shown, need the run's base model in this process."""
    return configuration.model in judge_bases(configuration)


@dataclass(frozen=True, slots=True)
class ReadyJudges:
    """Judges that can be asked, and what their exemplars come from."""

    judge_chain: JudgeChain
    exemplars: ExemplarSource


@asynccontextmanager
async def judging(
    configuration: Configuration, *, model: Path | None, engine_factory: EngineFactory
) -> AsyncIterator[ReadyJudges]:
    """The judges of a configuration alone, without taggers; the base model is loaded only where one of them runs on it.

    ``model`` is the base model's folder. What a run has on servers is loaded here.
    """
    configuration = with_own_bases(configuration.model_copy(update={"engine": LocalEngineConfig()}))
    judge, labels = configuration.judge, configuration.label_set
    adapters = {folder: f"judge{number or ''}" for number, folder in enumerate(dict.fromkeys(judge_adapters(judge)))}
    async with AsyncExitStack() as closing:
        planned = await asyncio.to_thread(planned_exemplars, configuration, model)
        orders = engine_orders(configuration, model, adapters, judge_bases(configuration))
        here = await loaded(configuration, orders, engine_factory)
        for one in here.values():
            closing.push_async_callback(one.close)
        first, engine = configuration.taggers[0].name, here.pop(configuration.model, None)
        parts = JudgeParts(labels, first, configuration.model, engine, adapters, others=here)
        closing.push_async_callback(parts.connections.close)
        judge_chain = build_judge_chain(judge, parts)
        await parts.connections.open()
        yield ReadyJudges(judge_chain, planned(engine))
