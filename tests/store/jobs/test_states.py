"""The states of a job."""

from __future__ import annotations

from medner.store.jobs.states import ACTIVE, TERMINAL, TRANSITIONS, JobState


def test_every_state_is_of_one_kind() -> None:
    """A job is coming in, being done, or at its end."""
    assert set(JobState) == {JobState.SUBMITTING} | ACTIVE | TERMINAL
    assert not ACTIVE & TERMINAL


def test_every_state_has_its_row() -> None:
    """The table is whole, and no state follows on itself."""
    assert set(TRANSITIONS) == set(JobState)
    assert not any(state in TRANSITIONS[state] for state in JobState)


def test_an_end_leads_only_back_into_the_queue() -> None:
    """What has ended is at most replayed."""
    assert all(TRANSITIONS[state] <= {JobState.QUEUED} for state in TERMINAL)
    assert not TRANSITIONS[JobState.COMPLETED]


def test_every_state_can_be_reached() -> None:
    """None is left over."""
    seen = {JobState.SUBMITTING}
    while True:
        more = {after for before in seen for after in TRANSITIONS[before]} - seen
        if not more:
            break
        seen |= more
    assert seen == set(JobState)
