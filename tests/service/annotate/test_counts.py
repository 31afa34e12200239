"""Numbers of a run and the line that shows them."""

from __future__ import annotations

import pytest

from medner.core.records import Annotation, Decoded, Failure, Sentence, TaggerOutput
from medner.service.annotate.counts import RunCounts, duration
from medner.service.annotate.progress import lines

SENTENCE = Sentence("a#0", "胸痛。")
DONE = Annotation(SENTENCE, outputs=(TaggerOutput("a", "", Decoded(())),))
FAILED = Annotation(
    SENTENCE, failures=(Failure("tag", "graph", "too_few", "0 of 2"), Failure("tag", "html", "x", "busy"))
)


def test_the_line_counts_and_tells_the_time_left() -> None:
    """The pace is that of this run's own work: what was taken over cost no time."""
    now = [0.0]
    tally = RunCounts(10, clock=lambda: now[0])
    tally.count(DONE, reused=True)
    assert tally.line() == "1 of 10 sentences, 0 conflicts, 0 failed"
    now[0] = 4.0
    tally.count(DONE)
    tally.count(FAILED)
    assert tally.line() == "3 of 10 sentences, 0.50 sentences/s, 14 s left, 0 conflicts, 1 failed"
    assert tally.first_reason == "html: busy"


@pytest.mark.parametrize(("seconds", "said"), [(4.4, "4 s"), (600, "10 min"), (9_000, "2.5 h")])
def test_durations_are_read_at_a_glance(seconds: float, said: str) -> None:
    """Seconds, minutes or hours."""
    assert duration(seconds) == said


def test_a_log_gets_a_line_every_ten_seconds() -> None:
    """However many sentences are done in between."""
    now = [0.0]
    written: list[str] = []
    update = lines(RunCounts(100, clock=lambda: now[0]), written.append, clock=lambda: now[0])
    for second in range(35):
        now[0] = float(second)
        update()
    assert len(written) == 3
