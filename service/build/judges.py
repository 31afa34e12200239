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
from medner.service.build.run_engines import engine_orders, loaded
from medner.service.config.bases import base_name
from medner.service.config.cards import judge_card
from medner.service.config.configuration import Configuration
from medner.service.config.judges import JUDGES, ChatJudgeConfig, JudgeConfig


@dataclass(frozen=True, slots=True)
class JudgeParts:
    """What judges are built from.

    ``first_tagger`` is whom best-tagger follows by default, ``base`` the base model's name, ``engine`` what runs it
    (None where nothing does), ``adapters`` what names its adapters have, ``others`` what runs further base models.
    ``connections`` must be opened before a judge is asked.
    """

    labels: LabelSet
    first_tagger: str
    base: str
    engine: Engine | None = None
    adapters: dict[Path, str] = field(default_factory=dict)
    connections: Connections = field(default_factory=Connections)
    others: Mapping[str, Engine] = field(default_factory=dict)

    async def load_adapters(self, judge: JudgeConfig) -> None:
        """Loads what a judge needs and the engine does not have yet. UserError where it cannot."""
        for one in judge.in_order:
            folder = one.folder
            if folder is None or folder in self.adapters:
                continue
            engine = self.needed_engine(one.own_base)
            if not isinstance(engine, AdapterLoader):
                raise UserError(f"{folder}: the engine here takes no further adapter while it runs")
            judge_card(folder)  # says in plain words what is wrong with a folder
            name = free_name("judge", self.adapters.values())
            await engine.load_adapter(name, folder)
            self.adapters[folder] = name

    def needed_engine(self, base: str | None = None) -> Engine:
        """The engine of a base model, None: of the run's; UserError where that is not loaded."""
        own = base is None or (base not in self.others and base_name(base) == self.base)
        engine = self.engine if own else self.others.get(base or "")
        if engine is None:
            named = "the base model" if own else f"the base model {base}"
            raise UserError(f"this judge runs on {named}, which is not loaded here")
        return engine

    def chat(self, judge: ChatJudgeConfig) -> tuple[BaseChatModel, str]:
        """The chat model that a judge asks, and its name. UserError where it cannot be made."""
        if judge.model is not None:
            return named_chat(judge, self.connections)
        engine = self.needed_engine()
        return EngineChatModel(engine=engine, model_name=self.base, max_tokens=judge.max_tokens), self.base


@dataclass(frozen=True, slots=True)
class Naming:
    """What a judge is called in verdicts."""

    name: str
    version: str


def build_judge_chain(judge: JudgeConfig, parts: JudgeParts, naming: Naming | None = None) -> JudgeChain:
    """The judge, under a name of its own if there is one, and those that step in. UserError when one cannot be made."""
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
    written = json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()[:6]


def free_name(kind: str, taken: Iterable[str]) -> str:
    """A name for an adapter that no other has."""
    taken = set(taken)
    return next(name for name in (f"{kind}{number or ''}" for number in count()) if name not in taken)


def judge_bases(configuration: Configuration) -> tuple[str, ...]:
    """The base models that the judges of a configuration, and what they are shown, need in this process."""
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

    ``model`` is the base model's folder.
    """
    judge, labels = configuration.judge, configuration.label_set
    adapters = {folder: f"judge{number or ''}" for number, folder in enumerate(dict.fromkeys(judge_adapters(judge)))}
    async with AsyncExitStack() as closing:
        planned = await asyncio.to_thread(planned_exemplars, configuration, model)
        orders = engine_orders(configuration, model, adapters, judge_bases(configuration))
        here = await loaded(configuration, orders, engine_factory)
        for one in here.values():
            closing.push_async_callback(one.close)
        first, base = configuration.taggers[0].name, Path(configuration.model).name
        engine = here.pop(configuration.model, None)
        parts = JudgeParts(labels, first, base, engine, adapters, others=here)
        closing.push_async_callback(parts.connections.close)
        judge_chain = build_judge_chain(judge, parts)
        await parts.connections.open()
        yield ReadyJudges(judge_chain, planned(engine))
