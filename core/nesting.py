"""Which entities may overlap: a property of the label set."""

from __future__ import annotations

from dataclasses import dataclass

from medner.core.records import Entity


@dataclass(frozen=True, slots=True)
class Nesting:
    """Whether entities may overlap at all, and if so, where.

    ``outer`` None: anywhere. Else an entity may only lie inside one of these types, and not in one of its own type:
    in CMeEE-V2 an overlap is a part (a body part, an item) inside a symptom.
    """

    allowed: bool = True
    outer: tuple[str, ...] | None = None

    def forbids(self, one: Entity, other: Entity) -> bool:
        """Whether two different entities cannot both be right."""
        if not one.span.overlaps(other.span):
            return False
        if not self.allowed:
            return True
        if self.outer is None:
            return False
        return not (self._holds(one, other) or self._holds(other, one))

    def excludes(self, one: Entity, other: Entity) -> bool:
        """Whether at most one of two different entities should be kept.

        So it is of the same stretch, of an overlap in the same type, and of one that is forbidden.
        """
        if not one.span.overlaps(other.span):
            return False
        return self.forbids(one, other) or one.label == other.label or one.span == other.span

    def in_words(self) -> str:
        """The rule in a sentence."""
        if not self.allowed:
            return "Entities do not overlap."
        if self.outer is None:
            return "Entities may overlap."
        return f"Entities overlap only where one of another type lies inside: {', '.join(self.outer) or 'none'}"

    def _holds(self, container: Entity, part: Entity) -> bool:
        inside = container.start <= part.start and part.end <= container.end and container.span != part.span
        return inside and container.label in (self.outer or ()) and container.label != part.label


#: Entities may overlap anywhere.
ANYWHERE = Nesting()
