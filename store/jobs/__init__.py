"""Jobs: batch work that is submitted, done by workers, and read when it is done. Kept in Redis."""

from medner.core.choices import Priority
from medner.store.jobs.claims import Claims, Finished
from medner.store.jobs.jobs import Jobs
from medner.store.jobs.records import FORMAT, DeadLetter, JobCounts, JobSpec, JobView, QueueView, WorkerView
from medner.store.jobs.states import TERMINAL, JobState
from medner.store.jobs.submitting import SubmitCallbacks, Submitted

__all__ = [
    "FORMAT",
    "TERMINAL",
    "Claims",
    "DeadLetter",
    "Finished",
    "JobCounts",
    "JobSpec",
    "JobState",
    "JobView",
    "Jobs",
    "Priority",
    "QueueView",
    "SubmitCallbacks",
    "Submitted",
    "WorkerView",
]
