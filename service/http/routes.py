"""Every route of the API, in one list: the application and its description are made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from medner.service.http import sessions
from medner.service.http.jobs import handlers
from medner.service.http.jobs.events import events
from medner.service.http.jobs.page import page
from medner.service.http.jobs.submit import JSON, LINES, submit
from medner.service.http.messages import answers, requests

Endpoint = Callable[[Request], Awaitable[Response]]
EVENTS = "text/event-stream"
TEXT = "text/plain"
HTML = "text/html"


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path: who answers, with what status and what form; the problems it may have beside.

    ``body`` are the forms of a body by media type. ``open``: it needs no key.
    """

    method: str
    path: str
    endpoint: Endpoint
    summary: str
    answer: type[BaseModel] | None = None
    media: str = JSON
    status: int = 200
    query: type[BaseModel] | None = None
    body: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    problems: tuple[int, ...] = ()
    open: bool = False


_JOB = "/v1/jobs/{id}"
_SESSION = "/v1/session"

ROUTES: tuple[Operation, ...] = (
    Operation("GET", "/health", handlers.health, "Whether the server can do its work", answers.HealthAnswer, open=True),
    Operation("GET", "/metrics", handlers.metrics, "Numbers for Prometheus", media=TEXT),
    Operation(
        "GET",
        _SESSION,
        sessions.session,
        "Whether a key is needed, and whose is used",
        answers.SessionAnswer,
        open=True,
    ),
    Operation(
        "POST",
        _SESSION,
        sessions.begin,
        "Begin a browser's session",
        status=204,
        body={JSON: requests.SessionBody},
        problems=(401, 422),
        open=True,
    ),
    Operation("DELETE", _SESSION, sessions.end, "End a browser's session", status=204, open=True),
    Operation("GET", "/v1/labels", handlers.labels, "Label sets, taggers and filters", answers.LabelSetsAnswer),
    Operation("GET", "/v1/jobs", handlers.listed, "The newest jobs", answers.JobsAnswer, query=requests.ListQuery),
    Operation(
        "POST",
        "/v1/jobs",
        submit,
        "Submit documents as a job",
        answers.SubmitAnswer,
        status=202,
        query=requests.JobOptions,
        body={JSON: requests.SubmitBody, LINES: requests.DocumentBody},
        problems=(400, 408, 409, 413, 415, 422),
    ),
    Operation("GET", _JOB, handlers.show, "A job as it is now", answers.JobAnswer, problems=(404,)),
    Operation("DELETE", _JOB, handlers.delete, "Forget an ended job and its results", status=204, problems=(404, 409)),
    Operation("POST", _JOB + "/cancel", handlers.cancel, "End a job", answers.JobAnswer, problems=(404,)),
    Operation(
        "POST",
        _JOB + "/replay",
        handlers.replay,
        "Do again what failed or was never done",
        answers.ReplayAnswer,
        problems=(404, 409),
    ),
    Operation(
        "GET",
        _JOB + "/results",
        handlers.results,
        "The documents with their entities, one a line",
        answers.ResultLine,
        media=LINES,
        query=requests.ResultsQuery,
        problems=(404,),
    ),
    Operation(
        "GET",
        _JOB + "/page",
        page,
        "Some of the documents as a page to read",
        media=HTML,
        query=requests.PageQuery,
        problems=(404,),
    ),
    Operation(
        "GET",
        _JOB + "/events",
        events,
        "The job's progress while it runs",
        answers.ProgressEvent,
        EVENTS,
        problems=(404,),
    ),
    Operation(
        "GET",
        _JOB + "/dead",
        handlers.dead,
        "The sentences that were given up",
        answers.DeadLettersAnswer,
        problems=(404,),
    ),
)
