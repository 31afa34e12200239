"""What a run has done so far, in numbers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from medner.core.records import Annotation


@dataclass(slots=True)
class RunCounts:
    """Counts sentences as they are done; ``reused`` ones come from an earlier run or an equal sentence.

    ``failed``: no tagger answered, so there is no result. ``partial``: some agent failed, the others went on.
    ``left_out``: doubtful and likely entities that were too many to be questioned. ``total`` None: nobody knows yet.
    """

    total: int | None
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    reused: int = 0
    entities: int = 0
    conflicts: int = 0
    left_out: int = 0
    partial: int = 0
    failed: int = 0
    first_reason: str = ""
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Starts the clock."""
        self._began = self.clock()

    def count(self, annotation: Annotation, *, reused: bool = False) -> None:
        """Takes in a sentence."""
        self.done += 1
        self.reused += reused
        self.entities += len(annotation.entities)
        self.conflicts += len(annotation.conflicts)
        self.left_out += sum(annotation.left_out.values())
        self.failed += not annotation.complete
        self.partial += annotation.complete and bool(annotation.failures)
        if not annotation.complete and not self.first_reason and annotation.failures:
            # The graph's own record only counts; an agent's says why.
            reasons = [one for one in annotation.failures if one.agent != "graph"] or annotation.failures
            self.first_reason = f"{reasons[0].agent}: {reasons[0].message}"

    @property
    def per_second(self) -> float:
        """Sentences a second of this run's own work; NaN before the first."""
        seconds, own = self.clock() - self._began, self.done - self.reused
        return own / seconds if own and seconds > 0 else float("nan")

    @property
    def progress(self) -> str:
        """How many are done, and of how many where that is known."""
        return f"{self.done:,}" if self.total is None else f"{self.done:,} of {self.total:,}"

    def line(self) -> str:
        """The state in one line."""
        parts = [f"{self.progress} sentences"]
        per_second = self.per_second
        if not math.isnan(per_second):
            parts.append(f"{per_second:.2f} sentences/s")
            if self.total is not None and self.done < self.total:
                parts.append(f"{duration((self.total - self.done) / per_second)} left")
        parts += [f"{self.conflicts:,} conflicts", f"{self.failed:,} failed"]
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """Seconds as a person reads them: 45 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"
