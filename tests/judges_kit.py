"""A worker whose two taggers disagree about every cough, as a program of its own; its judge follows the registry."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from medner.agents.engines.engine import Completion, Request
from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.strategies import CODECS
from medner.core.records import Document, Entity
from medner.service.build.pipeline import assembled_parts
from medner.service.config.frozen import thaw
from medner.service.worker.job_agents import JobPipeline, job_pipeline
from medner.store.jobs import JobSpec
from medner.store.redis.address import RedisAddress
from medner.store.redis.embedded import EmbeddedValkey
from tests.jobs_kit import LABELS, WORD

#: What each tagger says about a cough: the html one the word, the json one with the day before it.
HTML, JSON = "html-full", "json-plain"


def coughing(count: int) -> list[Document]:
    """Notes of four sentences, each with a conflict."""
    return [
        Document(f"病历{number}", "".join(f"患者{number}第{at}天{WORD}。\n" for at in range(4)))
        for number in range(count)
    ]


class DisagreeingEngine(ScriptedEngine):
    """Answers after a delay; the strategies differ about where a cough begins."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(_answer)
        self._delay_s = delay_s

    async def complete(self, request: Request) -> Completion:
        """The script's answer."""
        await asyncio.sleep(self._delay_s)
        return await super().complete(request)


def _answer(request: Request) -> str:
    system, sentence = request.messages[0].content, request.messages[-1].content
    strategy = next(name for name, codec in CODECS.items() if codec.instruction in system)
    at = sentence.find(WORD)
    start = at if strategy == "html" else at - 1
    entities = [] if at < 0 else [Entity(start, at + len(WORD), "sym")]
    return CODECS[strategy].encode(sentence, entities, LABELS)


@asynccontextmanager
async def opened(spec: JobSpec) -> AsyncIterator[JobPipeline]:
    """The agents of a job as a worker opens them, on the disagreeing engine."""
    engine = DisagreeingEngine(float(os.environ.get("KIT_DELAY", "0")))
    async with (
        assembled_parts(thaw(spec.configuration), engine_factory=lambda _: engine) as made,
        job_pipeline(made, concurrency=8) as pipeline,
    ):
        yield pipeline


def main() -> int:
    """A worker as the environment says."""
    from medner.service.worker.logs import log_to
    from medner.service.worker.process import run_worker
    from medner.service.worker.worker import WorkerSettings

    log_to()
    server = EmbeddedValkey(Path(os.environ["KIT_FOLDER"]))
    settings = WorkerSettings(concurrency=8, lease_s=float(os.environ["KIT_LEASE"]), grace_s=5)
    return run_worker(settings, address=RedisAddress(server.url, "it", server), open_annotator=opened)


if __name__ == "__main__":
    sys.exit(main())
