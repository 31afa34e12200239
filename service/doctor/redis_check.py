"""What can be wrong with a Redis, asked in its own protocol over a plain socket."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import unquote, urlsplit

from medner.core.findings import Finding, Level

_PATIENCE_S = 3.0
_OLDEST = 7


def redis_findings(url: str | None) -> Iterator[Finding]:
    """Whether the Redis of a URL answers, keeps what it is told, and is new enough; nothing without a URL.

    The URL's password is never shown.
    """
    if not url:
        return
    parts = urlsplit(url)
    shown = f"Redis at {parts.hostname}:{parts.port or 6379}"
    if parts.scheme not in ("redis", "rediss"):
        yield Finding(
            Level.ERROR, "MEDNER_REDIS_URL", "is no redis:// or rediss:// URL", "for example redis://host:6379/0"
        )
        return
    try:
        with closing(_connected(parts.scheme, parts.hostname or "localhost", parts.port or 6379)) as link:
            yield from _asked(link, shown, unquote(parts.username or ""), unquote(parts.password or ""))
    except OSError as problem:
        remedy = "start it, or correct MEDNER_REDIS_URL"
        yield Finding(Level.ERROR, shown, f"cannot be reached ({type(problem).__name__})", remedy)


def _connected(scheme: str, host: str, port: int) -> socket.socket:
    link = socket.create_connection((host, port), timeout=_PATIENCE_S)
    return ssl.create_default_context().wrap_socket(link, server_hostname=host) if scheme == "rediss" else link


def _asked(link: socket.socket, shown: str, user: str, password: str) -> Iterator[Finding]:
    if password and (said := _ask(link, "AUTH", *([user] if user else []), password)).startswith("-"):
        yield Finding(
            Level.ERROR, shown, f"refuses the password ({said[1:].split(' ')[0]})", "correct MEDNER_REDIS_URL"
        )
        return
    said = _ask(link, "PING")
    if not said.startswith("+PONG"):
        remedy = "put user and password into MEDNER_REDIS_URL: redis://:password@host:6379"
        yield Finding(Level.ERROR, shown, f"does not answer a PING ({said[1:].split(' ')[0]})", remedy)
        return
    facts = dict(line.split(":", 1) for line in _ask(link, "INFO").splitlines() if ":" in line and line[0] not in "#$")
    number = facts.get("redis_version", "")
    kind = "Valkey" if "valkey_version" in facts else "Redis"
    yield Finding(Level.OK, shown, f"answers, {kind} {facts.get('valkey_version', number) or 'of unknown version'}")
    if number.split(".")[0].isdigit() and int(number.split(".")[0]) < _OLDEST:
        yield Finding(Level.ERROR, shown, f"is version {number}", f"{_OLDEST} or newer is needed")
    if facts.get("aof_enabled") == "0":
        yield Finding(Level.WARNING, shown, "keeps no append-only file: a crash loses jobs", "set appendonly yes")
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        remedy = "set maxmemory-policy noeviction"
        yield Finding(Level.ERROR, shown, f"evicts keys when it is full ({policy}): jobs would vanish", remedy)


def _ask(link: socket.socket, *words: str) -> str:
    """The reply to a command: its first line, or all of a bulk string."""
    link.sendall(f"*{len(words)}\r\n".encode() + b"".join(_bulk(word) for word in words))
    data = b""
    while not data.endswith(b"\r\n") or (data.startswith(b"$") and len(data) < _expected(data)):
        block = link.recv(65_536)
        if not block:
            raise ConnectionResetError
        data += block
    return data.decode("utf-8", "replace").strip()


def _bulk(word: str) -> bytes:
    raw = word.encode()
    return b"$%d\r\n%s\r\n" % (len(raw), raw)


def _expected(data: bytes) -> int:
    head, _, _ = data.partition(b"\r\n")
    return len(head) + int(head[1:]) + 4
