"""Takes off what the label set's rule does not let an entity begin or end with, before taggers are compared."""

from __future__ import annotations

from dataclasses import replace

from medner.core.labels import LabelSet
from medner.core.records import Entity, Rejected, Rejection, TaggerOutput, in_order


def with_trimmed_edges(output: TaggerOutput, text: str, labels: LabelSet) -> TaggerOutput:
    """The tagger's output with its entities trimmed; the answer stays as it was given.

    An entity that is nothing but edges, or that becomes one the tagger has proposed as well, is recorded as refused.
    """
    proposed = output.decoded.entities
    kept: set[Entity] = set()
    refused: list[Rejected] = []
    for entity in proposed:
        trimmed = labels.edges.trimmed(entity, text)
        if trimmed is None:
            refused.append(_refused(Rejection.ONLY_EDGES, entity, text))
        elif trimmed in kept or (trimmed != entity and trimmed in proposed):
            refused.append(_refused(Rejection.DUPLICATE, entity, text))
        else:
            kept.add(trimmed)
    entities = in_order(kept)
    if entities == proposed and not refused:
        return output
    decoded = replace(output.decoded, entities=entities, rejected=(*output.decoded.rejected, *refused))
    return replace(output, decoded=decoded)


def _refused(reason: Rejection, entity: Entity, text: str) -> Rejected:
    return Rejected(reason, text[entity.start : entity.end], f"{entity.label} [{entity.start}, {entity.end})")
