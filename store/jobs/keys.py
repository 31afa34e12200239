"""The names of everything in Redis."""

from __future__ import annotations

from medner.core.choices import Priority

#: All jobs by the time they were submitted.
INDEX = "medner:jobs"
#: With a state behind it: the jobs of that state, by the moment they expire.
STATE_INDEX = "medner:state:"
#: Ids and names in the order of their letters, and the name of a job by its id.
NAMES = "medner:names"
NAME_OF = "medner:name"
#: How many sentences of active jobs have no end yet.
LEFT = "medner:left"
ACTIVE_JOBS = "medner:active"
UNTIDY = "medner:untidy"
WORKERS = "medner:workers"
SWEEPING = "medner:sweeping"
REINDEXED = "medner:reindexed"
QUEUES = {priority: f"medner:queue:{priority.value}" for priority in Priority}
#: What a job's review is kept under, beside the job: it goes when the job goes.
REVIEW_PARTS = ("review-known", "review-queue", "review-skipped", "review-decided", "review-done", "review-claims")
GROUP = "medner"
#: What the submitters' own keys begin with.
SUBMIT_KEYS = "medner:key:"


def job_key(job: str) -> str:
    """The hash of a job; the names of its other parts begin with it."""
    return f"medner:job:{job}"


def submit_key(key: str) -> str:
    """Where a submitter's own key leads to the job it made."""
    return f"{SUBMIT_KEYS}{key}"


def worker_key(worker: str) -> str:
    """The last heartbeat of a worker."""
    return f"medner:worker:{worker}"


def taken_key(worker: str) -> str:
    """The call by which a worker took a chunk last, with the chunk."""
    return f"medner:taken:{worker}"
