"""What every side of the comparison can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Counts:
    """What one run over all sentences took and gave."""

    passes: int
    entities: int


class Side(Protocol):
    """One way to annotate the sentences, loaded and ready."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is printed of it: number format, taggers."""
        ...

    def run(self, at_a_time: int) -> Counts:
        """Annotates all sentences, so many at a time. RefusedError when it cannot."""
        ...


class RefusedError(Exception):
    """This side cannot run here; the message says why."""
