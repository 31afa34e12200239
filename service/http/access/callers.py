"""Who a request comes from: a key in its header, or a session that a browser got for one."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from medner.service.http.access.keys import KeyRing
from medner.service.http.scopes import ANYONE, Caller

COOKIE = "medner_session"
SESSION_S = 12 * 3_600
_MOST_SESSIONS = 1_000


@dataclass(frozen=True, slots=True)
class _Session:
    name: str
    until_s: float


class Access:
    """Lets in who has a key. Sessions live in memory: they end with the server, with their time, with their key."""

    def __init__(self, ring: KeyRing, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.ring = ring
        self._clock = clock
        self._sessions: dict[str, _Session] = {}

    def caller(self, headers: Headers) -> Caller | None:
        """Who asks, everybody where no key is needed, None for who may not."""
        if not self.ring.needed:
            return ANYONE
        key = _key_of(headers.get("authorization", ""))
        if key:
            name = self.ring.owner(key)
        else:
            name = self._of_session(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""))
        scopes = frozenset() if name is None else self.ring.scopes_of(name)
        return Caller(name, scopes) if name is not None and scopes else None

    def begin(self, key: str) -> str | None:
        """A session's token for a key, None where it is none."""
        name = self.ring.owner(key)
        if name is None:
            return None
        now = self._clock()
        self._sessions = {at: one for at, one in self._sessions.items() if one.until_s > now}
        while len(self._sessions) >= _MOST_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        token = secrets.token_urlsafe(32)
        self._sessions[_at(token)] = _Session(name, now + SESSION_S)
        return token

    def end(self, headers: Headers) -> None:
        """Ends the session of a request."""
        self._sessions.pop(_at(cookie_parser(headers.get("cookie", "")).get(COOKIE, "")), None)

    def _of_session(self, token: str) -> str | None:
        session = self._sessions.get(_at(token))
        return None if session is None or session.until_s <= self._clock() else session.name


def _key_of(authorization: str) -> str:
    """The key of a header: ``Bearer KEY``, or ``Basic`` with it as the password, as Label Studio sends it; else ""."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(given.strip(), validate=True).decode("utf-8").partition(":")[2]
    except ValueError:
        return ""


def _at(token: str) -> str:
    """Where a session is kept: looked up by a hash, so that the time it takes says nothing of the token."""
    return hashlib.sha256(token.encode()).hexdigest()
