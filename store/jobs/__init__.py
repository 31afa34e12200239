"""Jobs: batch work that is submitted, done by workers, and read when it is done. Kept in Redis."""

from medner.store.jobs.claims import Claim, Claims, Finished, Progress
from medner.store.jobs.jobs import Jobs, Submitted
from medner.store.jobs.records import FORMAT, DeadLetter, JobCounts, JobSpec, JobView, Priority, WorkerView
from medner.store.jobs.states import ACTIVE, REPLAYABLE, TERMINAL, TRANSITIONS, JobState, may_follow

__all__ = [
    "ACTIVE",
    "FORMAT",
    "REPLAYABLE",
    "TERMINAL",
    "TRANSITIONS",
    "Claim",
    "Claims",
    "DeadLetter",
    "Finished",
    "JobCounts",
    "JobSpec",
    "JobState",
    "JobView",
    "Jobs",
    "Priority",
    "Progress",
    "Submitted",
    "WorkerView",
    "may_follow",
]
