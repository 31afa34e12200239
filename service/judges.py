"""From a configuration's judge to the judge that runs, and its exemplars; a model is loaded only where one is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from medner.agents.chat import EngineChatModel
from medner.agents.engines.engine import Engine
from medner.agents.exemplars import ExemplarSource, FixedExemplars
from medner.agents.judges.judge import BestTagger, FilterScore, HardVote, Judge
from medner.agents.judges.select import SelectJudge
from medner.service.config import Configuration
from medner.service.engines import EngineFactory, EngineOrder
from medner.service.exemplars import WITHOUT_A_MODEL, planned_exemplars
from medner.store.labels import load_label_set


def build_judge(configuration: Configuration, engine: Engine | None) -> Judge:
    """The judge of a configuration; ``engine`` None where it asks no model."""
    name = Path(configuration.model).name
    builders: dict[str, Callable[[], Judge]] = {
        "select": lambda: SelectJudge(EngineChatModel(engine=engine, model_name=name), name=name),
        "hard-vote": HardVote,
        "filter-score": lambda: FilterScore(configuration.judge.least),
        "best-tagger": lambda: BestTagger(configuration.followed or ""),
    }
    return builders[configuration.judge.kind]()


@dataclass(frozen=True, slots=True)
class ReadyJudge:
    """A judge that can be asked, and what its exemplars come from."""

    judge: Judge
    exemplars: ExemplarSource


@dataclass(frozen=True, slots=True)
class JudgePlan:
    """A judge alone, without taggers: what it needs, and how it comes to run."""

    configuration: Configuration

    @property
    def needs_local(self) -> bool:
        """Whether the base model must be loaded."""
        return self.configuration.judge.kind not in WITHOUT_A_MODEL

    @asynccontextmanager
    async def running(self, *, model: Path | None, engine_factory: EngineFactory) -> AsyncIterator[ReadyJudge]:
        """The judge, its model loaded where it has one; the model is closed at the end."""
        if not self.needs_local:
            labels = load_label_set(self.configuration.labels)
            yield ReadyJudge(build_judge(self.configuration, None), FixedExemplars.shipped(labels))
            return
        exemplars = await asyncio.to_thread(planned_exemplars, self.configuration, model)
        order = EngineOrder(model, {}, self.configuration.max_rows)
        engine = await asyncio.to_thread(engine_factory, order)
        try:
            yield ReadyJudge(build_judge(self.configuration, engine), exemplars(engine))
        finally:
            await engine.close()


def planned_judge(configuration: Configuration) -> JudgePlan:
    """The plan of a configuration's judge."""
    return JudgePlan(configuration)
