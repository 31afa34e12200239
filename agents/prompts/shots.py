"""Hand-written annotated sentences, shown to untuned models as examples."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources

from medner.agents.strategies.locating import nearest_occurrence
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import Entity, in_order


@dataclass(frozen=True, slots=True)
class Shot:
    """An annotated example sentence."""

    text: str
    entities: tuple[Entity, ...]


def load_shots(labels: LabelSet) -> tuple[Shot, ...]:
    """The shipped examples of a label set, in the file's order; none when the set is a user's own.

    A repeated entity string takes the next place where it stands.
    """
    source = resources.files("medner.agents.prompts") / f"shots-{labels.name}.toml"
    if not source.is_file():
        return ()
    data = tomllib.loads(source.read_text(encoding="utf-8"))
    return tuple(_shot(entry["text"], entry["entities"], labels) for entry in data["shots"])


def _shot(text: str, stated: list[list[str]], labels: LabelSet) -> Shot:
    entities: list[Entity] = []
    for part, label in stated:
        code = labels.type_of(label).code
        taken = {entity.start for entity in entities if entity.label == code and entity.text_in(text) == part}
        start = nearest_occurrence(text, part, 0, taken)
        if start is None:
            raise UserError(f"shots of {labels.name}: {text!r} does not contain {part!r} (once more)")
        entities.append(Entity(start, start + len(part), code))
    return Shot(text, in_order(entities))
