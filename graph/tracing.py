"""Runs the sentence graph with LangGraph's checkpoints taken, and hands on those that a policy keeps.

LangGraph makes a checkpoint after every step. A saver in memory takes them as they are; nothing is written while a
sentence is under way, and what no policy keeps is never even serialised.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import count
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, CheckpointMetadata, CheckpointTuple

from medner.core.errors import UserError
from medner.core.records import Annotation, Sentence
from medner.graph.deps import Deps
from medner.graph.sentence import sentence_graph_with
from medner.store.traces import Snapshot, Trace, TracePolicy

#: Where another judge may come in: all taggers have answered, nothing is decided.
BOUNDARY = "detect_conflicts"


class CapturingSaver(BaseCheckpointSaver[int]):
    """A saver that holds the checkpoints of the threads under way, in memory, until they are taken."""

    def __init__(self) -> None:
        super().__init__()
        self._threads: dict[str, list[Snapshot]] = {}

    def seed(self, thread: str, snapshot: Snapshot) -> None:
        """Puts a thread where an earlier one was."""
        self._threads[thread] = [snapshot]

    @property
    def under_way(self) -> int:
        """How many threads are held. Not ``__len__``: LangGraph takes an empty saver for none."""
        return len(self._threads)

    def take(self, thread: str) -> tuple[Snapshot, ...]:
        """The thread's checkpoints in order; they are forgotten here."""
        return tuple(self._threads.pop(thread, ()))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The thread's last checkpoint."""
        thread = str(config["configurable"]["thread_id"])
        held = self._threads.get(thread)
        if not held:
            return None
        last = held[-1]
        where: RunnableConfig = {
            "configurable": {"thread_id": thread, "checkpoint_ns": "", "checkpoint_id": last.id},
        }
        checkpoint: Any = last.checkpoint
        metadata: Any = {"step": 0, "source": "loop", "parents": {}, **last.metadata}
        return CheckpointTuple(where, checkpoint, metadata, None, [])

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: Mapping[str, Any],  # noqa: ARG002  LangGraph's signature
    ) -> RunnableConfig:
        """Holds a checkpoint."""
        thread = str(config["configurable"]["thread_id"])
        parent = config["configurable"].get("checkpoint_id")
        # A copy of the outermost dictionary: LangGraph goes on with the same one.
        taken = {**checkpoint, "channel_values": dict(checkpoint["channel_values"])}
        self._threads.setdefault(thread, []).append(Snapshot(taken, dict(metadata), parent))
        return {"configurable": {"thread_id": thread, "checkpoint_ns": "", "checkpoint_id": checkpoint["id"]}}

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """What single tasks wrote stands in the next checkpoint."""

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002, ARG002  LangGraph's signature
        before: RunnableConfig | None = None,  # noqa: ARG002
        limit: int | None = None,  # noqa: ARG002
    ) -> AsyncIterator[CheckpointTuple]:
        found = None if config is None else await self.aget_tuple(config)
        if found is not None:
            yield found


class Tracer:
    """Runs sentences for one run and gives ``keep`` the traces that the policy wants."""

    def __init__(self, run: str, policy: TracePolicy, keep: Callable[[Trace], None]) -> None:
        self.run = run
        self.policy = policy
        self._keep = keep
        self._saver = _SAVER
        self._under_way: set[str] = set()

    @property
    def under_way(self) -> int:
        """How many sentences' states are held."""
        return len(self._under_way)

    async def annotate(self, sentence: Sentence, deps: Deps) -> Annotation:
        """The sentence through the whole graph."""
        return await self._through({"sentence": sentence}, sentence.id, deps)

    async def fork(self, trace: Trace, deps: Deps) -> Annotation:
        """A stored sentence again from ``detect_conflicts`` on, with the judge of ``deps``; no tagger is called."""
        boundary = trace.before(BOUNDARY)
        if boundary is None:
            raise UserError(f"trace {trace.id}: has no state before {BOUNDARY}, so nothing can be forked from it")
        return await self._through(None, trace.sentence_id, deps, seed=boundary)

    async def amend(self, trace: Trace, deps: Deps, values: Mapping[str, Any]) -> Annotation:
        """A stored sentence merged again after ``values`` were put in the judge's place; added to its trace."""
        thread = self._thread()
        self._saver.seed(thread, trace.snapshots[-1])
        config = _config(thread, 1)
        graph = _graph_of(deps.tagger_names)
        try:
            await graph.aupdate_state(config, dict(values), as_node="judge")
            final = await graph.ainvoke(None, context=deps, config=config)
        finally:
            snapshots = self._taken(thread)
        annotation: Annotation = final["annotation"]
        self._keep(Trace(self.run, trace.sentence_id, snapshots[1:]))
        return annotation

    async def _through(
        self, start: Mapping[str, Any] | None, sentence_id: str, deps: Deps, *, seed: Snapshot | None = None
    ) -> Annotation:
        thread = self._thread()
        if seed is not None:
            self._saver.seed(thread, seed)
        try:
            graph = _graph_of(deps.tagger_names)
            final = await graph.ainvoke(start, context=deps, config=_config(thread, len(deps.taggers)))
        finally:
            snapshots = self._taken(thread)
        annotation: Annotation = final["annotation"]
        kept = _kept(snapshots, self.policy, annotation)
        if kept:
            self._keep(Trace(self.run, sentence_id, kept))
        return annotation

    def _thread(self) -> str:
        """A name of its own: two sentences under way at once may have one id, of several runs too."""
        thread = str(next(_NUMBERS))
        self._under_way.add(thread)
        return thread

    def _taken(self, thread: str) -> tuple[Snapshot, ...]:
        self._under_way.discard(thread)
        return self._saver.take(thread)


#: All tracers share the saver and the graphs compiled with it: to compile one takes longer than a short sentence, and
#: a worker has a tracer a job.
_SAVER = CapturingSaver()
_NUMBERS: Iterator[int] = count()
_graph_of = lru_cache(maxsize=64)(partial(sentence_graph_with, _SAVER))


def _config(thread: str, at_once: int) -> RunnableConfig:
    # A graph called inside another one's node would take over that one's limit and namespace.
    return {"configurable": {"thread_id": thread, "checkpoint_ns": ""}, "max_concurrency": at_once}


def _kept(snapshots: Sequence[Snapshot], policy: TracePolicy, annotation: Annotation) -> tuple[Snapshot, ...]:
    if policy is TracePolicy.ALL:
        return tuple(snapshots)
    if policy is TracePolicy.NONE or not annotation.conflicts:
        return ()
    boundary = [one for one in snapshots if one.next_node == BOUNDARY]
    return (*boundary[:1], snapshots[-1])
