"""A trace for a terminal: the path through the graph, and at every step who said what."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import TypeAdapter
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text
from rich.tree import Tree

from medner.core.labels import LabelSet
from medner.core.records import Annotation, Conflict, Entity, Verdict
from medner.service.annotate.terminal import visible
from medner.store.traces import RunRecord, Trace

_ANNOTATION = TypeAdapter(Annotation)


def trace_data(run: RunRecord, trace: Trace) -> dict[str, Any]:
    """All of a trace as plain data: the run, the states by name of their next node, the annotation."""
    return {
        "trace": trace.id,
        "run": run.model_dump(mode="json", exclude={"labels", "configuration"}),
        "checkpoints": [
            {"id": one.id, "parent": one.parent, "next": one.next_node, "channels": sorted(one.values)}
            for one in trace.snapshots
        ],
        "annotation": _ANNOTATION.dump_python(trace.annotation, mode="json"),
    }


def show_trace(console: Console, run: RunRecord, trace: Trace, *, full: bool) -> None:
    """Draws a trace; ``full`` shows prompts and answers whole."""
    view = _View(run.labels.label_set(), trace.annotation, full)
    console.print(Text(f"{trace.id}   judge {run.judge or '?'}, {len(trace.snapshots)} checkpoints", style="bold"))
    console.print(Text(visible(trace.annotation.sentence.text)))
    console.print(view.tree())


class _View:
    """One annotation, drawn."""

    def __init__(self, labels: LabelSet, annotation: Annotation, full: bool) -> None:
        self._labels = labels
        self._annotation = annotation
        self._full = full
        self._text = annotation.sentence.text

    def tree(self) -> Tree:
        """The path: a branch a node."""
        root = Tree("START")
        self._tag(root)
        self._filter(root)
        detect = root.add(self._node("detect_conflicts", f"{len(self._annotation.conflicts)} conflicts"))
        for kind, number in sorted(self._annotation.left_out.items()):
            detect.add(Text(f"{number} more {kind} entities were too many to be questioned", "yellow"))
        agreed = [one.entity for one in self._annotation.entities if one.conflict_id is None]
        if agreed:
            detect.add(Text("agreed: " + "、".join(map(self._entity, agreed))))
        if self._annotation.conflicts:
            self._judge(root)
        merged = root.add(self._node("merge", f"{len(self._annotation.entities)} entities"))
        for one in self._annotation.entities:
            merged.add(Text(f"{self._entity(one.entity)}  {one.decision.value}"))
        root.add("END")
        return root

    def _node(self, name: str, said: str = "") -> Text:
        seconds = self._annotation.timings.get(name)
        timed = "" if seconds is None else f"  {_time(seconds)}"
        return Text.assemble((name, "bold cyan"), (timed, "dim"), f"  {said}" if said else "")

    def _tag(self, root: Tree) -> None:
        tag = root.add(Text("tag (in parallel)", style="bold cyan"))
        for output in self._annotation.outputs:
            entities = output.decoded.entities
            said = "、".join(map(self._entity, entities)) or "nothing"
            branch = tag.add(self._node(f"tag:{output.tagger}", said))
            for one in output.decoded.rejected:
                branch.add(Text(f"refused ({one.reason.value}): {visible(_short(one.raw))} {one.detail}", "yellow"))
            if self._full:
                branch.add(Panel(Text(visible_lines(output.answer)), title="answer", title_align="left"))
        self._failures(tag, "tag")

    def _filter(self, root: Tree) -> None:
        # A judged entity's own score is its judge's.
        scored = {one.entity: one.score for one in self._annotation.entities}
        scored |= {c.entity: c.score for conflict in self._annotation.conflicts for c in conflict.candidates}
        known = {entity: score for entity, score in scored.items() if score is not None}
        branch = root.add(self._node("filter", f"{len(self._annotation.dropped)} dropped"))
        for entity, score in sorted(known.items()):
            branch.add(Text(f"{self._entity(entity)}  {score:.3f}"))
        for drop in self._annotation.dropped:
            missed = "" if drop.candidate.score is None else f"{drop.candidate.score:.3f}"
            asks = "" if math.isnan(drop.threshold) else f": {drop.filter} asks for {drop.threshold:g}"
            said = f"{self._entity(drop.candidate.entity)}  {missed} dropped{asks}"
            branch.add(Text(said, "yellow"))
        self._failures(branch, "filter")

    def _judge(self, root: Tree) -> None:
        verdicts = {verdict.conflict_id: verdict for verdict in self._annotation.verdicts}
        branch = root.add(self._node("judge", f"{len(verdicts)} verdicts"))
        for conflict in self._annotation.conflicts:
            place = conflict.region
            part = visible(self._text[place.start : place.end])
            under = branch.add(Text(f"{conflict.id} {conflict.kind.value}: {part} [{place.start},{place.end})", "bold"))
            verdict = verdicts.get(conflict.id)
            for line in self._candidates(conflict, verdict):
                under.add(line)
            if verdict is not None:
                for renderable in self._verdict(verdict):
                    under.add(renderable)
        self._failures(branch, "judge")

    def _candidates(self, conflict: Conflict, verdict: Verdict | None) -> Iterator[Text]:
        kept = set() if verdict is None else {*verdict.kept}
        scores = verdict.scores if verdict is not None and verdict.scores else (None,) * len(conflict.candidates)
        for number, (candidate, score) in enumerate(zip(conflict.candidates, scores, strict=False), 1):
            sign, style = ("✓", "green") if candidate.entity in kept else ("✗", "red")
            taggers = ", ".join(candidate.taggers) or "no tagger"
            more = "" if candidate.score is None else f", filter {candidate.score:.3f}"
            more += "" if score is None else f", judge {score:.3f}"
            yield Text(f"{sign} {number}. {self._entity(candidate.entity)}  ({taggers}{more})", style)

    def _verdict(self, verdict: Verdict) -> Iterator[RenderableType]:
        for entity in verdict.added:
            yield Text(f"+ {self._entity(entity)}  (added by the judge)", "green")
        yield Text(f"by {verdict.judge} version {verdict.judge_version}, {verdict.mode}, {_time(verdict.seconds)}")
        for attempt in verdict.tried:
            yield Text(f"before it {attempt.judge} version {attempt.judge_version}: {attempt.reason}", "yellow")
        if verdict.abstained:
            yield Text("the judge leaves this to a person; until then the fallback rule holds", "yellow")
        if verdict.fallback is not None:
            yield Text(f"fallback {verdict.fallback.value}: {verdict.fallback_reason}", "yellow")
        if verdict.overruled is not None:
            said = verdict.overruled
            before = "、".join(map(self._entity, (*said.kept, *said.added))) or "nothing"
            yield Text(f"overruled by {said.by} at {said.at}: {said.why} (the judge had kept {before})", "magenta")
        if verdict.exemplars:
            shown = "；".join(f"{self._name(one.label)} {visible(one.text)}" for one in verdict.exemplars)
            yield Text(f"exemplars: {shown}", "dim")
        yield from self._texts((("prompt", verdict.prompt), ("raw answer", verdict.answer)))

    def _texts(self, named: Sequence[tuple[str, str]]) -> Iterator[RenderableType]:
        for name, text in named:
            if not text:
                continue
            if self._full:
                yield Group(Panel(Text(visible_lines(text)), title=name, title_align="left"))
            else:
                yield Text(f"{name}: {visible(_short(text))}", "dim")

    def _failures(self, branch: Tree, stage: str) -> None:
        for one in self._annotation.failures:
            if one.stage == stage:
                branch.add(Text(f"failed: {one.agent}: {one.kind}: {visible(one.message)}", "red"))

    def _entity(self, entity: Entity) -> str:
        part = visible(entity.text_in(self._text))
        return f"{self._name(entity.label)}:{part}[{entity.start},{entity.end})"

    def _name(self, code: str) -> str:
        return self._labels.type_of(code).name if code in self._labels else code


def visible_lines(text: str) -> str:
    """The text with its line breaks and without what would steer a terminal."""
    return "\n".join(map(visible, text.split("\n")))


def _short(text: str, most: int = 60) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most // 2] + " … " + flat[-most // 2 :]


def _time(seconds: float) -> str:
    return f"{seconds * 1_000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
