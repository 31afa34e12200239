"""What stands before every request: host, origin, key; headers of every answer; a line in the log without any text."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medner.service.http.access.callers import Access
from medner.service.http.messages.problems import Problem, answer
from medner.service.http.metrics import HttpMetrics
from medner.service.http.scopes import Caller

log = logging.getLogger("medner.http")

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_DRAIN_BYTES, _DRAIN_S = 4 << 20, 1.0
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
_QUIET = ("/health", "/metrics")


@dataclass(frozen=True, slots=True)
class Rules:
    """Which names of the server are answered to (empty: all), and which paths and folders need no key."""

    hosts: frozenset[str] = frozenset()
    open_paths: frozenset[str] = frozenset()
    open_folders: tuple[str, ...] = ("/assets/",)

    def is_open(self, path: str) -> bool:
        """Whether a path needs no key."""
        return path in self.open_paths or path.startswith(self.open_folders)


class Guard:
    """The application behind its guards. ``routes`` are the paths of its endpoints, as log and metrics name them."""

    def __init__(
        self, app: ASGIApp, rules: Rules, access: Access, metrics: HttpMetrics, routes: Mapping[Any, str]
    ) -> None:
        self._app = app
        self._rules = rules
        self._access = access
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        began, headers = time.monotonic(), Headers(scope=scope)
        caller, problem = self._judged(scope, headers)
        scope.setdefault("state", {})["caller"] = caller
        exchange = _Exchange(receive, send, unread=_has_body(headers))
        try:
            await (self._app if problem is None else answer(problem))(scope, exchange.receive, exchange.send)
        finally:
            self._note(scope, caller, exchange.status, time.monotonic() - began)

    def _judged(self, scope: Scope, headers: Headers) -> tuple[Caller | None, Problem | None]:
        """Who asks, and what is against it."""
        problem = _of_host(headers, self._rules.hosts) or _of_origin(headers)
        if problem is not None:
            return None, problem
        caller = self._access.caller(headers)
        if caller is None and not self._rules.is_open(scope["path"]):
            given = "authorization" in headers
            detail = "this key is none of the server's" if given else "this server asks for a key"
            return None, Problem(
                "no-key", f"{detail}; send Authorization: Bearer KEY (medner serve keys add NAME makes one)"
            )
        return caller, None

    def _note(self, scope: Scope, caller: Caller | None, status: int, seconds: float) -> None:
        route = self._routes.get(scope.get("endpoint"), "other")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.answered(method, route, status, seconds)
        log.log(
            logging.DEBUG if route in _QUIET else logging.INFO,
            "request",
            extra={
                "method": method,
                "route": route,
                "job": scope.get("path_params", {}).get("id"),
                "status": status,
                "milliseconds": round(1000 * seconds, 1),
                "key": (caller.name if caller is not None else "") or None,
            },
        )


class _Exchange:
    """A request and its answer: adds the headers, and ends the connection where a body was not read to its end."""

    def __init__(self, receive: Receive, send: Send, *, unread: bool) -> None:
        self._receive = receive
        self._send = send
        self._unread = unread
        self.status = 0

    async def receive(self) -> Message:
        """What comes in."""
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        """What goes out."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            found = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                found.setdefault(name, value)
            await self._drain()
            if self._unread:
                found["Connection"] = "close"
        await self._send(message)

    async def _drain(self) -> None:
        """Reads on for a moment: a client that is still sending may not see an answer before its body is through."""
        left = _DRAIN_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                while self._unread and left > 0:
                    message = await self.receive()
                    if message["type"] == "http.disconnect":
                        return
                    left -= len(message.get("body", b""))


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _of_host(headers: Headers, hosts: Collection[str]) -> Problem | None:
    """Against pages whose name was made to lead here (DNS rebinding)."""
    host = _name(headers.get("host", ""))
    if not hosts or host in hosts:
        return None
    return Problem("unknown-host", "the server does not know this name of itself; medner serve --allow-host adds one")


def _of_origin(headers: Headers) -> Problem | None:
    """Against pages of other sites that a browser on this machine shows."""
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site", "none")
    foreign = origin is not None and origin.lower().partition("://")[2] != headers.get("host", "").lower()
    embedded = site in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate"
    if foreign or embedded:
        return Problem("forbidden-origin", "pages of other sites may not use this server; open its own page")
    return None


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
