"""Choices that the command line, files, HTTP and Python share, and what holds where nothing is chosen."""

from __future__ import annotations

from enum import StrEnum

DEFAULT_LABELS = "cmeee-v2"
DEFAULT_MODEL = "qwen2.5-coder-0.5b-instruct"


class Priority(StrEnum):
    """Which jobs' chunks are taken first."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class TracePolicy(StrEnum):
    """Which sentences leave a trace: all with the state after each node; those with conflicts; none."""

    ALL = "all"
    CONFLICTS = "conflicts"
    NONE = "none"


class JudgeFollow(StrEnum):
    """Which version of a registered judge a job has: the latest at each sentence, or the one it began with."""

    LATEST = "latest"
    PINNED = "pinned"


class PartFormat(StrEnum):
    """The form of the parts in a result folder."""

    JSONL = "jsonl"
    PARQUET = "parquet"
