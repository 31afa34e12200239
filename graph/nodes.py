"""The nodes of the sentence graph. Each is a verb; what an agent cannot do becomes a record, never the run's end."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from langgraph.runtime import Runtime

from medner.agents.judges.judge import Case, Judge, fall_back
from medner.graph.conflicts import detect_conflicts, gather_candidates
from medner.graph.deps import Deps
from medner.graph.state import SentenceState, TagTask
from medner.store.errors import ExternalError, ModelOutputError, UserError
from medner.store.records import (
    AnnotatedEntity,
    Annotation,
    Candidate,
    Conflict,
    Decision,
    Failure,
    FilterDrop,
    Verdict,
)

Update = dict[str, Any]


async def tag(task: TagTask, runtime: Runtime[Deps]) -> Update:
    """One tagger on one sentence. A failure of its model is a record; a mistake of the user's ends the run."""
    began = time.perf_counter()
    tagger = next(tagger for tagger in runtime.context.taggers if tagger.name == task["tagger"])
    timing = f"tag:{tagger.name}"
    try:
        output = await tagger.tag(task["sentence"])
    except (ExternalError, ModelOutputError) as error:
        failure = _failure("tag", tagger.name, error)
        return {"failures": [failure], "timings": {timing: time.perf_counter() - began}}
    return {"outputs": [output], "timings": {timing: time.perf_counter() - began}}


async def filter_candidates(state: SentenceState, runtime: Runtime[Deps]) -> Update:
    """Gathers the taggers' candidates, each once, and drops those the filter does not believe."""
    began = time.perf_counter()
    outputs, deps = state.get("outputs", []), runtime.context
    if len(outputs) < deps.min_taggers:
        message = f"{len(outputs)} of {len(deps.taggers)} taggers answered; at least {deps.min_taggers} must"
        return {"failures": [Failure("tag", "graph", "too_few_taggers", message)], "candidates": []}
    candidates = gather_candidates(outputs)
    if deps.filter is None or not candidates:
        return {"candidates": list(candidates), "timings": {"filter": time.perf_counter() - began}}
    judged = deps.filter
    try:
        scores = await judged.score(state["sentence"], [candidate.entity for candidate in candidates])
    except (ExternalError, ModelOutputError) as error:
        failed = _failure("filter", judged.name, error)
        return {
            "candidates": list(candidates),
            "failures": [failed],
            "timings": {"filter": time.perf_counter() - began},
        }
    scored = [Candidate(c.entity, c.taggers, score) for c, score in zip(candidates, scores, strict=True)]
    return {
        "candidates": [candidate for candidate in scored if (candidate.score or 0.0) >= judged.threshold],
        "dropped": [
            FilterDrop(candidate, judged.name, judged.threshold)
            for candidate in scored
            if (candidate.score or 0.0) < judged.threshold
        ],
        "timings": {"filter": time.perf_counter() - began},
    }


async def find_conflicts(state: SentenceState) -> Update:
    """Splits the candidates into agreed ones and conflicts."""
    began = time.perf_counter()
    voters = [output.tagger for output in state.get("outputs", [])]
    agreement = detect_conflicts(state.get("candidates", []), voters)
    return {
        "agreed": list(agreement.agreed),
        "conflicts": list(agreement.conflicts),
        "timings": {"detect_conflicts": time.perf_counter() - began},
    }


async def settle_conflicts(state: SentenceState, runtime: Runtime[Deps]) -> Update:
    """The judge on every conflict, all at once; where it fails, the stated fallback rule decides and is recorded."""
    began = time.perf_counter()
    deps = runtime.context
    settled = await asyncio.gather(*(_settle(deps, state, conflict) for conflict in state["conflicts"]))
    return {
        "verdicts": [verdict for verdict, _ in settled],
        "failures": [failure for _, failure in settled if failure is not None],
        "timings": {"judge": time.perf_counter() - began},
    }


async def _settle(deps: Deps, state: SentenceState, conflict: Conflict) -> tuple[Verdict, Failure | None]:
    sentence = state["sentence"]
    at_stake = {candidate.entity.label for candidate in conflict.candidates}
    codes = [code for code in deps.labels.codes if code in at_stake]
    exemplars = deps.exemplars.exemplars(sentence, conflict.region, codes)
    voters = tuple(sorted(output.tagger for output in state.get("outputs", [])))
    case = Case(sentence, conflict, deps.labels, voters, exemplars)
    judge: Judge = deps.judge
    try:
        return await judge.judge(case), None
    except (ExternalError, ModelOutputError, UserError) as error:
        # A prompt that is too long is this sentence's trouble, not the run's.
        return fall_back(judge, case, str(error)), _failure("judge", judge.name, error)


async def merge(state: SentenceState) -> Update:
    """The result: agreed entities and those the verdicts kept or added, each with its provenance."""
    began = time.perf_counter()
    entities = [
        AnnotatedEntity(item.entity, Decision.AGREED, item.taggers, item.score) for item in state.get("agreed", [])
    ]
    candidates = {item.entity: item for item in state.get("candidates", [])}
    known = {annotated.entity for annotated in entities}
    for verdict in state.get("verdicts", []):
        decision = Decision.JUDGED if verdict.fallback is None else Decision.FALLBACK
        for entity in (*verdict.kept, *verdict.added):
            if entity in known:
                continue
            known.add(entity)
            item = candidates.get(entity, Candidate(entity, ()))
            entities.append(AnnotatedEntity(entity, decision, item.taggers, item.score, verdict.conflict_id))
    entities.sort(key=lambda annotated: (annotated.entity.start, -annotated.entity.end, annotated.entity.label))
    timings = {**state.get("timings", {}), "merge": time.perf_counter() - began}
    annotation = Annotation(
        sentence=state["sentence"],
        entities=tuple(entities),
        outputs=tuple(state.get("outputs", [])),
        dropped=tuple(state.get("dropped", [])),
        conflicts=tuple(state.get("conflicts", [])),
        verdicts=tuple(state.get("verdicts", [])),
        failures=tuple(state.get("failures", [])),
        timings=timings,
    )
    return {"annotation": annotation}


def _failure(stage: str, agent: str, error: Exception) -> Failure:
    raw = error.raw if isinstance(error, ModelOutputError) else ""
    return Failure(stage, agent, type(error).__name__, str(error), raw)
