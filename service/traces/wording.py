"""Differences between two runs in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from medner.core.labels import LabelSet
from medner.core.records import Entity
from medner.service.annotate.terminal import visible
from medner.service.traces.differences import RunDifferences
from medner.store.traces import RunRecord


def difference_lines(a: RunRecord, b: RunRecord, found: RunDifferences, *, show: int) -> Iterator[str]:
    """The counts, then the first ``show`` sentences that differ."""
    labels = a.labels.label_set()
    yield f"A {a.run} ({a.judge})"
    yield f"B {b.run} ({b.judge})"
    yield (
        f"{found.sentences:,} sentences with {found.conflicts:,} conflicts in both: {found.changed_conflicts:,} "
        f"conflicts settled otherwise, {len(found.changes):,} sentences changed"
    )
    if found.only_a or found.only_b:
        yield f"not compared: {found.only_a:,} sentences that only A has, {found.only_b:,} that only B has"
    for kind, (alike, otherwise) in sorted(found.by_kind.items()):
        yield f"  {kind}: {otherwise:,} of {alike + otherwise:,} settled otherwise"
    for word, counts in (("only in B", found.gained), ("only in A", found.lost)):
        told = "、".join(f"{_name(labels, code)} {number:,}" for code, number in sorted(counts.items()))
        yield f"entities {word}: {sum(counts.values()):,}{f' ({told})' if told else ''}"
    yield f"fallbacks: {found.fallbacks[0]:,} in A, {found.fallbacks[1]:,} in B"
    yield f"seconds of judging: {found.seconds[0]:.2f} in A, {found.seconds[1]:.2f} in B"
    for change in found.changes[:show]:
        yield f"{change.sentence_id}: {visible(change.text)}"
        for sign, entities in (("-", change.only_a), ("+", change.only_b)):
            for entity in entities:
                yield f"  {sign} {_entity(labels, entity, change.text)}"


def score_lines(score: dict[str, Any] | None) -> Iterator[str]:
    """The scores of both and their difference; nothing where there is no gold."""
    if score is None:
        return
    for name in ("a", "b"):
        one = score[name]
        yield f"{name.upper()}: P {one['precision']:.4f}  R {one['recall']:.4f}  F1 {one['f1']:.4f}"
    low, high = score["interval"]
    yield (
        f"F1 B - A: {score['f1_difference']:+.4f} [{low:+.4f}, {high:+.4f}], p {score['p']:.4f} "
        f"(paired bootstrap over {score['sentences']:,} sentences with {score['gold_entities']:,} gold entities, "
        f"{score['resamples']:,} resamples, seed {score['seed']})"
    )


def _entity(labels: LabelSet, entity: Entity, text: str) -> str:
    return f"{_name(labels, entity.label)}: {visible(entity.text_in(text))} [{entity.start},{entity.end})"


def _name(labels: LabelSet, code: str) -> str:
    return labels.type_of(code).name if code in labels else code
