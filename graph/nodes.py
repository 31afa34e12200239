"""The nodes of the sentence graph. Each is a verb; what an agent cannot do becomes a record, never the run's end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec

from langgraph.runtime import Runtime

from medner.agents.filters import Filter, FindsLikely, FromScores
from medner.agents.judges.judge import Case
from medner.agents.prompts.judge import types_at_stake
from medner.agents.taggers.tagger import ScoringTagger, Tagger
from medner.core.errors import ExternalError, ModelOutputError, UserError
from medner.core.labels import LabelSet
from medner.core.records import (
    TOO_FEW_TAGGERS,
    AnnotatedEntity,
    Annotation,
    Candidate,
    Conflict,
    Decision,
    Entity,
    Exemplar,
    Failure,
    FilterDrop,
    Sentence,
    Verdict,
    in_order,
)
from medner.graph.conflicts import counted_by_kind, detect_conflicts, gather_candidates
from medner.graph.deps import Deps
from medner.graph.state import SentenceState
from medner.graph.trimming import with_trimmed_edges

Update = dict[str, Any]
P = ParamSpec("P")


def _timed(name: str) -> Callable[[Callable[P, Awaitable[Update]]], Callable[P, Coroutine[Any, Any, Update]]]:
    """Adds a node's seconds to its update, under ``name``."""

    def decorate(node: Callable[P, Awaitable[Update]]) -> Callable[P, Coroutine[Any, Any, Update]]:
        @wraps(node)
        async def timed(*args: P.args, **kwargs: P.kwargs) -> Update:
            began = time.perf_counter()
            update = await node(*args, **kwargs)
            return {**update, "timings": {name: time.perf_counter() - began}}

        return timed

    return decorate


async def tag(name: str, sentence: Sentence, deps: Deps) -> Update:
    """The tagger of this name on one sentence. A failure of its model is a record; a mistake of the user's ends the
    run."""
    began = time.perf_counter()
    tagger = next(tagger for tagger in deps.taggers if tagger.name == name)
    timing = f"tag:{tagger.name}"
    try:
        update = await _answer(tagger, sentence, deps.labels)
    except (ExternalError, ModelOutputError) as error:
        update = {"failures": [_failure("tag", tagger.name, error)]}
    return {**update, "timings": {timing: time.perf_counter() - began}}


async def _answer(tagger: Tagger, sentence: Sentence, labels: LabelSet) -> Update:
    """A tagger's output, its entities trimmed by the label set's rule, with the scores that go on to the filter."""
    if isinstance(tagger, ScoringTagger):
        scored = await tagger.tag_scored(sentence)
        output = with_trimmed_edges(scored.output, sentence.text, labels)
        return {"outputs": [output], "scores": {tagger.name: scored.scores}}
    return {"outputs": [with_trimmed_edges(await tagger.tag(sentence), sentence.text, labels)]}


@_timed("filter")
async def filter_candidates(state: SentenceState, runtime: Runtime[Deps]) -> Update:
    """Gathers the taggers' candidates, each once, and drops those the filter does not believe.

    Where the configuration asks, what no tagger proposed but the filter finds likely is a candidate too.
    """
    outputs, deps = state.get("outputs", []), runtime.context
    if len(outputs) < deps.min_taggers:
        message = f"{len(outputs)} of {len(deps.taggers)} taggers answered; at least {deps.min_taggers} must"
        return {"candidates": [], "failures": [Failure("tag", "graph", TOO_FEW_TAGGERS, message)]}
    candidates = list(gather_candidates(outputs))
    maybes = _maybes(state, deps, candidates)
    if deps.filter is None or not (candidates or maybes):
        return {"candidates": candidates}
    try:
        scores = await _scores(deps.filter, state, [*candidates, *maybes])
    except (ExternalError, ModelOutputError) as error:
        return {"candidates": candidates, "failures": [_failure("filter", deps.filter.name, error)]}
    proposed, name, threshold = len(candidates), deps.filter.name, deps.filter.threshold
    scored = [(replace(item, score=score), score) for item, score in zip(candidates, scores[:proposed], strict=True)]
    likely = [replace(item, score=score) for item, score in zip(maybes, scores[proposed:], strict=True)]
    least = max(deps.wider.maybe or 0.0, threshold)
    return {
        "candidates": [item for item, score in scored if score >= threshold]
        + [item for item in likely if item.score is not None and item.score >= least],
        "dropped": [FilterDrop(item, name, threshold) for item, score in scored if score < threshold],
    }


def _maybes(state: SentenceState, deps: Deps, candidates: Sequence[Candidate]) -> list[Candidate]:
    """What no tagger proposed and the filter may find likely enough, trimmed by the label set's rule, in text order."""
    if deps.wider.maybe is None or not isinstance(deps.filter, FindsLikely):
        return []
    text, proposed = state["sentence"].text, {candidate.entity for candidate in candidates}
    likely = deps.filter.likely(state.get("scores", {}), deps.wider.maybe)
    trimmed = {deps.labels.edges.trimmed(entity, text) for entity in likely}
    return [Candidate(entity, ()) for entity in in_order(one for one in trimmed if one) if entity not in proposed]


async def _scores(judged: Filter, state: SentenceState, candidates: Sequence[Candidate]) -> list[float]:
    sentence, entities = state["sentence"], [candidate.entity for candidate in candidates]
    if isinstance(judged, FromScores):
        scores = await judged.score_from(state.get("scores", {}), sentence, entities)
    else:
        scores = await judged.score(sentence, entities)
    # A score that is not a number is neither over nor under the threshold: its candidate would vanish unrecorded.
    if len(scores) != len(candidates) or not all(0.0 <= score <= 1.0 for score in scores):
        raise ModelOutputError(f"not a probability for each of {len(candidates)} candidates", raw=repr(scores))
    return scores


@_timed("detect_conflicts")
async def find_conflicts(state: SentenceState, runtime: Runtime[Deps]) -> Update:
    """Splits the candidates into agreed ones and conflicts."""
    voters = [output.tagger for output in state.get("outputs", [])]
    deps = runtime.context
    agreement = detect_conflicts(state.get("candidates", []), voters, deps.labels.nesting, deps.wider)
    update: Update = {"agreed": list(agreement.agreed), "conflicts": list(agreement.conflicts)}
    return {**update, "left_out": list(agreement.left_out)} if agreement.left_out else update


@_timed("judge")
async def settle_conflicts(state: SentenceState, runtime: Runtime[Deps]) -> Update:
    """The judges on every conflict, all at once; where none can decide, the stated rule does, and that is recorded."""
    deps, sentence = runtime.context, state["sentence"]
    # One look: a judge that is changed meanwhile changes nothing in this sentence.
    judge_chain = deps.judge_chain()
    voters = tuple(sorted(output.tagger for output in state.get("outputs", [])))
    shown = await asyncio.gather(*(_exemplars(deps, sentence, conflict) for conflict in state["conflicts"]))
    cases = [
        Case(sentence, conflict, deps.labels, voters, exemplars)
        for conflict, (exemplars, _) in zip(state["conflicts"], shown, strict=True)
    ]
    settled = await judge_chain.settle(cases)
    failures = [failure for _, failures in shown for failure in failures]
    failures += [_failure("judge", one.judge, one.error) for one in settled if one.error is not None]
    return {"verdicts": [one.verdict for one in settled], "failures": failures}


async def _exemplars(deps: Deps, sentence: Sentence, conflict: Conflict) -> tuple[tuple[Exemplar, ...], list[Failure]]:
    """Exemplars of the types at stake; where they cannot be had, the judge goes without and the record says so."""
    at_stake = types_at_stake(conflict)
    codes = [code for code in deps.labels.codes if code in at_stake]
    try:
        return await deps.exemplars.exemplars(sentence, conflict.region, codes), []
    except (ExternalError, UserError) as error:
        return (), [_failure("judge", "exemplars", error)]


def _chances(conflict: Conflict | None, verdict: Verdict) -> dict[Entity, float]:
    """The probabilities that a judge gave a conflict's candidates; none where it gives none."""
    if conflict is None or len(verdict.scores) != len(conflict.candidates):
        return {}
    return {one.entity: chance for one, chance in zip(conflict.candidates, verdict.scores, strict=True)}


async def merge(state: SentenceState) -> Update:
    """The result: agreed entities and those the verdicts kept or added, each with its provenance."""
    began = time.perf_counter()
    entities = [
        AnnotatedEntity(item.entity, Decision.AGREED, item.taggers, item.score) for item in state.get("agreed", [])
    ]
    candidates = {item.entity: item for item in state.get("candidates", [])}
    known = {annotated.entity for annotated in entities}
    conflicts = {conflict.id: conflict for conflict in state.get("conflicts", [])}
    for verdict in state.get("verdicts", []):
        decision = _decision(verdict)
        judged = _chances(conflicts.get(verdict.conflict_id), verdict)
        for entity in (*verdict.kept, *verdict.added):
            if entity in known:
                continue
            known.add(entity)
            item = candidates.get(entity, Candidate(entity, ()))
            score = judged.get(entity, item.score)
            entities.append(AnnotatedEntity(entity, decision, item.taggers, score, verdict.conflict_id))
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
        left_out=counted_by_kind(state.get("left_out", [])),
    )
    return {"annotation": annotation}


def _decision(verdict: Verdict) -> Decision:
    if verdict.overruled is not None:
        return Decision.HUMAN
    return Decision.JUDGED if verdict.fallback is None else Decision.FALLBACK


def _failure(stage: str, agent: str, error: Exception) -> Failure:
    raw = error.raw if isinstance(error, ModelOutputError) else ""
    return Failure(stage, agent, type(error).__name__, str(error), raw)
