"""An operation of the API: a method on a path, and who may use it."""

from __future__ import annotations

import asyncio
import getpass
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from medner.core.errors import MednerError
from medner.service.http.context import service_of
from medner.service.http.messages.audit import AuditEntry
from medner.service.http.messages.problems import Problem
from medner.service.http.scopes import ANYONE, Caller, Scope

log = logging.getLogger("medner.http")

Endpoint = Callable[[Request], Awaitable[Response]]
JSON = "application/json"
LINES = "application/x-ndjson"
EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path: who answers, with what status and what form; the problems it may have beside.

    ``body`` are the forms of a body by media type; ``body_required`` False: an empty one will do. ``open``: it needs
    no key; else the key needs ``scope``. ``audit`` is what the audit log calls it, "" for what it does not note.
    ``others`` are further good answers, by status; ``further_media`` are other forms of the answer. ``key_header``: an
    Idempotency-Key is read.
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
    body_required: bool = True
    problems: tuple[int, ...] = ()
    others: Mapping[int, type[BaseModel] | None] = field(default_factory=dict)
    open: bool = False
    scope: Scope = Scope.READ
    audit: str = ""
    key_header: bool = False
    further_media: tuple[str, ...] = ()

    @property
    def described_path(self) -> str:
        """The path without what only the router reads."""
        return self.path.replace(":path}", "}")


def guarded(operation: Operation) -> Endpoint:
    """The endpoint behind its scope, with its line in the audit log."""

    async def endpoint(request: Request) -> Response:
        caller = caller_of(request)
        try:
            if not operation.open and operation.scope not in caller.scopes:
                raise _no_scope(caller, operation.scope)
            response = await operation.endpoint(request)
        except Exception as error:
            await _note(operation, request, error.kind if isinstance(error, Problem) else type(error).__name__)
            raise
        await _note(operation, request, "done")
        return response

    return endpoint


def caller_of(request: Request) -> Caller:
    """Who makes a request."""
    found: Caller = getattr(request.state, "caller", None) or ANYONE
    return found


def person_of(request: Request, named: str | None = None) -> str:
    """Who decides: the key's name; where no key is needed, who is named, else who runs the server."""
    name = caller_of(request).name
    if name and named not in (None, name):
        raise Problem("unfitting", f"by: this key is {name}'s; decisions go under its name", key="by")
    return name or (named or "").strip() or getpass.getuser()


def acts_on(request: Request, target: str) -> None:
    """Says what the audit log names as the thing acted on; without it, that is the path's first name."""
    request.state.target = target


def _no_scope(caller: Caller, scope: Scope) -> Problem:
    has = ", ".join(sorted(caller.scopes)) or "none"
    return Problem(
        "no-scope",
        f"this needs a key with the scope {scope.value}; yours has {has} "
        f"(medner serve keys add NAME --scopes {scope.value})",
        scope=scope.value,
    )


async def _note(operation: Operation, request: Request, outcome: str) -> None:
    if not operation.audit:
        return
    names = request.path_params.values()
    target = getattr(request.state, "target", None) or next((str(one) for one in names), "")
    entry = AuditEntry(
        at=datetime.now(UTC), who=caller_of(request).name, what=operation.audit, on=target, outcome=outcome
    )
    try:
        await asyncio.to_thread(service_of(request).audit.append, entry)
    except MednerError as error:
        # What was done is done; that it is not in the log must be seen by whoever watches the server.
        log.error("the audit log cannot be written", extra={"reason": str(error), "what": operation.audit})
