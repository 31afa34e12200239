"""The server process."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from medner.core.environment import API_KEYS, is_set
from medner.core.errors import UserError
from medner.core.stop_signal import stop_asked
from medner.service.http.access.callers import Access
from medner.service.http.access.keys import KeyRing, key_file
from medner.service.http.access.limits import Limits
from medner.service.http.allowed_options import AllowedOptions
from medner.service.http.app import new_app
from medner.service.http.context import ServiceParts
from medner.store.redis import open_redis, redis_address

log = logging.getLogger("medner.http")

_GRACE_S = 5


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the server listens and under which names, what clients may ask, how much; TLS certificate and key."""

    host: str = "127.0.0.1"
    port: int = 8080
    allow_hosts: tuple[str, ...] = ()
    offer: AllowedOptions = field(default_factory=AllowedOptions)
    limits: Limits = field(default_factory=Limits)
    certificate: tuple[Path, Path] | None = None


async def serve(settings: ServerSettings) -> None:
    """Answers until SIGINT or SIGTERM. UserError or ExternalError where Redis or the port cannot be used."""
    ring = _ring(settings)
    address = redis_address()
    async with open_redis(address):
        pass  # said at once, not at the first request
    loop = asyncio.get_running_loop()
    # A stream that is read holds a thread while it waits.
    loop.set_default_executor(ThreadPoolExecutor(settings.limits.streams + 8))
    parts = ServiceParts(address, Access(ring), settings.offer, settings.limits, stopping=lambda: server.should_exit)
    server = new_server(new_app(parts, hosts=_hosts(settings)), settings.certificate)
    with closing(_bound(settings.host, settings.port)) as listening, stop_asked(lambda: None):
        place = shown_address(settings.host, listening.getsockname()[1], secure=settings.certificate is not None)
        log.info("ready", extra={"address": place, "keys": ring.needed})
        # uvicorn has its own handlers meanwhile, and hands the signal on to ours at its end.
        await server.serve(sockets=[listening])
    log.info("ended")


def new_server(app: ASGIApp, certificate: tuple[Path, Path] | None = None) -> uvicorn.Server:
    """The server of an application."""
    chain, key = certificate or (None, None)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            ssl_certfile=chain,
            ssl_keyfile=key,
            access_log=False,  # its lines hold queries
            log_config=None,
            server_header=False,
            proxy_headers=False,
            lifespan="on",
            timeout_graceful_shutdown=_GRACE_S,
        )
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def shown_address(host: str, port: int, *, secure: bool = False) -> str:
    """The URL of a server that listens there."""
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{name}:{port}"


def _ring(settings: ServerSettings) -> KeyRing:
    """The keys. UserError where others could reach the server and none is needed, or where there are none."""
    file = key_file()
    ring = KeyRing(file, required=is_set(API_KEYS))
    if not ring.needed and not is_loopback(settings.host):
        raise UserError(
            f"--host {settings.host}: others could use it without a key; make one first: medner serve keys add NAME"
        )
    if ring.needed and not file.stored():
        raise UserError(
            f"{file.path}: has no key, so no client could use the server; make one: medner serve keys add NAME"
        )
    return ring


def _hosts(settings: ServerSettings) -> frozenset[str]:
    """The names to answer to: on this machine alone its usual ones, elsewhere those that are given, or all."""
    usual = ("localhost", "127.0.0.1", "::1", settings.host) if is_loopback(settings.host) else ()
    return frozenset(name.lower() for name in (*usual, *settings.allow_hosts))


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP: only then does asyncio send small answers at once. With the default, 0, each waits for the client's
    # delayed acknowledgement, 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((host, port))
        listening.listen(256)
    except OSError as error:
        listening.close()
        raise UserError(
            f"{host}:{port}: cannot be listened on: {error.strerror or error}; choose with --host and --port"
        ) from error
    return listening
