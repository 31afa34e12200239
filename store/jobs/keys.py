"""The names of everything in Redis."""

from __future__ import annotations

from medner.core.choices import Priority

INDEX = "medner:jobs"
ACTIVE_JOBS = "medner:active"
UNTIDY = "medner:untidy"
WORKERS = "medner:workers"
SWEEPING = "medner:sweeping"
QUEUES = {priority: f"medner:queue:{priority.value}" for priority in Priority}
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
    """What a worker last told of itself."""
    return f"medner:worker:{worker}"
