"""Every route of the API, in one list: the application and its description are made of it."""

from __future__ import annotations

from medner.service.http import audits, sessions
from medner.service.http.jobs import handlers
from medner.service.http.jobs.routes import JOB_ROUTES
from medner.service.http.judges.routes import JUDGE_ROUTES
from medner.service.http.label_studio.routes import LABEL_STUDIO_ROUTES
from medner.service.http.messages import answers, requests
from medner.service.http.messages.audit import AuditAnswer
from medner.service.http.messages.trace_requests import PageOf
from medner.service.http.operation import JSON, Operation
from medner.service.http.review.routes import REVIEW_ROUTES
from medner.service.http.scopes import Scope
from medner.service.http.traces.routes import TRACE_ROUTES

TEXT = "text/plain"
_SESSION = "/v1/session"

ROUTES: tuple[Operation, ...] = (
    Operation("GET", "/health", handlers.health, "Whether the server can do its work", answers.HealthAnswer, open=True),
    Operation("GET", "/metrics", handlers.metrics, "Numbers for Prometheus", media=TEXT),
    Operation(
        "GET",
        _SESSION,
        sessions.session,
        "Whether a key is needed, whose is used, and what it may do",
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
        problems=(401,),
        open=True,
    ),
    Operation("DELETE", _SESSION, sessions.end, "End a browser's session", status=204, open=True),
    *JOB_ROUTES,
    *REVIEW_ROUTES,
    *TRACE_ROUTES,
    *JUDGE_ROUTES,
    *LABEL_STUDIO_ROUTES,
    Operation(
        "GET",
        "/v1/audit",
        audits.audit,
        "Who submitted, swapped, overruled, deleted",
        AuditAnswer,
        query=PageOf,
        scope=Scope.ADMIN,
    ),
)
