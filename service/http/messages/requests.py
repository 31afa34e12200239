"""What comes in as JSON or in a query."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from medner.core.choices import JudgeFollow, TracePolicy
from medner.service.http.messages.strict import Strict
from medner.store.jobs import Priority

#: What a client calls a tagger, filter, judge or label set: a name, never a path.
NAME = r"^[A-Za-z0-9_一-鿿][A-Za-z0-9_一-鿿.:+-]*$"


class DocumentBody(Strict):
    """A document: a note's text under an id of the client's. A line of a stream is one of these."""

    id: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1)


class JobOptions(Strict):
    """How a job is done. What is left out is as the server's configuration says."""

    name: str = Field(default="", max_length=100)
    labels: str | None = Field(default=None, pattern=NAME, description="A label set that GET /v1/labels lists.")
    taggers: str | None = Field(
        default=None,
        description="Names that GET /v1/labels lists, with commas between them, or STRATEGY:STYLE.",
        examples=["span-8,symbol"],
    )
    filter: str | None = Field(default=None, description="off, or a filter of GET /v1/labels; :THRESHOLD may follow.")
    judge: str | None = Field(
        default=None, pattern="^@$|" + NAME.replace("^", "^@?"), description="hard-vote, best-tagger:NAME ..., @NAME"
    )
    judge_follow: JudgeFollow = JudgeFollow.PINNED
    priority: Priority = Priority.NORMAL
    trace: TracePolicy = TracePolicy.CONFLICTS
    keep_days: float = Field(default=7, ge=0.01, le=365, description="How long results are kept after the end.")

    @field_validator("taggers", mode="before")
    @classmethod
    def _joined(cls, value: Any) -> Any:
        return ",".join(map(str, value)) if isinstance(value, list) else value


class SubmitBody(JobOptions):
    """A job: its documents, and how it is done."""

    documents: tuple[DocumentBody, ...] = Field(min_length=1)


class ListQuery(Strict):
    """Which jobs are listed: the newest ``limit``."""

    limit: int = Field(default=100, ge=1, le=1_000)


class ResultsQuery(Strict):
    """The form of results: entities alone, or the whole annotation as `medner annotate -o` writes it."""

    format: Literal["entities", "full"] = "entities"


class PageQuery(Strict):
    """Which documents of a job a page shows, and the language it starts in."""

    offset: int = Field(default=0, ge=0)
    limit: int = Field(default=20, ge=1, le=200)
    language: Literal["zh", "en"] = "zh"


class SessionBody(Strict):
    """An API key, for which a browser gets a session."""

    key: str = Field(min_length=1, max_length=200, repr=False)
