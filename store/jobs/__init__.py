"""Jobs: batch work that is submitted, done by workers, and read when it is done. Kept in Redis."""

from medner.core.choices import Priority
from medner.store.jobs.claims import Claim, Claims, Finished, Progress
from medner.store.jobs.jobs import Jobs
from medner.store.jobs.records import FORMAT, DeadLetter, JobCounts, JobSpec, JobView, QueueView, WorkerView
from medner.store.jobs.states import ACTIVE, REPLAYABLE, TERMINAL, TRANSITIONS, JobState, may_follow
from medner.store.jobs.submitting import SubmitCallbacks, Submitted

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
    "QueueView",
    "SubmitCallbacks",
    "Submitted",
    "WorkerView",
    "may_follow",
]
