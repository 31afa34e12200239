"""Jobs: batch work that is submitted, done by workers, and read when it is done. Kept in Redis."""

from medner.store.jobs.claims import Claim, Claims, Finished, Progress
from medner.store.jobs.jobs import Jobs
from medner.store.jobs.records import FORMAT, DeadLetter, JobCounts, JobSpec, JobView, Priority, QueueView, WorkerView
from medner.store.jobs.states import ACTIVE, REPLAYABLE, TERMINAL, TRANSITIONS, JobState, may_follow
from medner.store.jobs.submitting import Hearing, Submitted

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
    "Hearing",
    "JobCounts",
    "JobSpec",
    "JobState",
    "JobView",
    "Jobs",
    "Priority",
    "Progress",
    "QueueView",
    "Submitted",
    "WorkerView",
    "may_follow",
]
