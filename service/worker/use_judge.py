"""Another judge for the jobs that follow: it is examined, then put in place as a new version."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from typing import Any

from medner.core.errors import UserError
from medner.service.build.engines import EngineFactory, local_engine, model_folder
from medner.service.build.judges import judging, needs_base_model
from medner.service.config.default import default_configuration
from medner.service.worker.examine_judge import Examination, examine
from medner.service.worker.follow_judge import judge_of
from medner.store.judges import JudgeRegistry, JudgeVersion


class JudgeTestError(UserError):
    """A judge did not pass its test; ``examination`` has the answers."""

    def __init__(self, name: str, examination: Examination) -> None:
        super().__init__(f"{name} did not pass its test ({examination.summary})")
        self.examination = examination


async def next_version(registry: JudgeRegistry, name: str | None, back_to: int | None) -> JudgeVersion:
    """The version that puts a judge in place by its name, or brings an earlier version again."""
    if back_to is not None:
        earlier = await registry.version(back_to)
        return JudgeVersion(name=earlier.name, revision=earlier.revision, judge=earlier.judge, back_to=back_to)
    definition = await registry.definition(name or "")
    return JudgeVersion(name=definition.name, revision=definition.revision, judge=definition.judge)


async def examined(judge: Mapping[str, Any], engine_factory: EngineFactory | None = None) -> Examination:
    """The answers of a judge that is built here as a worker builds it; ``engine_factory`` replaces the local engine."""
    configuration = default_configuration().model_copy(update={"judge": judge_of(dict(judge)), "filter": None})
    local = engine_factory is None and needs_base_model(configuration)
    model = model_folder(configuration) if local else None
    async with judging(configuration, model=model, engine_factory=engine_factory or local_engine) as ready:
        return await examine(ready.judge_chain.judges[0], ready.exemplars)


async def put_in_place(
    registry: JudgeRegistry,
    version: JudgeVersion,
    *,
    by: str = "",
    why: str = "",
    force: bool = False,
    engine_factory: EngineFactory | None = None,
) -> JudgeVersion:
    """Examines a version's judge, unless with ``force``, and makes jobs follow it. JudgeTestError if it fails."""
    summary = "not tested"
    if not force:
        examination = await examined(version.judge, engine_factory)
        if not examination.passed:
            raise JudgeTestError(version.name, examination)
        summary = examination.summary
    changes = {"by": by or getpass.getuser(), "why": why, "forced": force, "smoke": summary}
    return await registry.seat(version.model_copy(update=changes))
