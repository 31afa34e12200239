"""The server process."""

from __future__ import annotations

import asyncio
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from ipaddress import ip_address

import uvicorn

from medner.service.http.app import AppSettings, new_app
from medner.service.http.limits import Limits
from medner.service.http.offer import Offer
from medner.service.stopping import stop_asked
from medner.store.errors import UserError
from medner.store.redis import RedisAddress, open_redis, redis_address

log = logging.getLogger("medner.http")

_GRACE_S = 5


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the server listens, what clients may ask, how much."""

    host: str = "127.0.0.1"
    port: int = 8080
    offer: Offer = field(default_factory=Offer)
    limits: Limits = field(default_factory=Limits)


async def serve(settings: ServerSettings, *, address: RedisAddress | None = None) -> None:
    """Answers until SIGINT or SIGTERM. UserError or ExternalError where Redis or the port cannot be used."""
    if not is_loopback(settings.host):
        raise UserError(f"--host {settings.host}: others could reach it without a key; use 127.0.0.1")
    address = address or redis_address()
    async with open_redis(address):
        pass  # said at once, not at the first request
    loop = asyncio.get_running_loop()
    # A stream that is read holds a thread while it waits.
    loop.set_default_executor(ThreadPoolExecutor(settings.limits.streams + 8))
    app = new_app(AppSettings(address, settings.offer, settings.limits, stopping=lambda: server.should_exit))
    config = uvicorn.Config(
        app,
        access_log=False,  # its lines hold queries
        log_config=None,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = uvicorn.Server(config)
    with closing(_bound(settings.host, settings.port)) as listening, stop_asked(lambda: None):
        place = shown_address(settings.host, listening.getsockname()[1])
        log.info("ready", extra={"address": place})
        # uvicorn has its own handlers meanwhile, and hands the signal on to ours at its end.
        await server.serve(sockets=[listening])
    log.info("ended")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def shown_address(host: str, port: int) -> str:
    """The URL of a server that listens there."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise UserError(
            f"{host}:{port}: cannot be listened on: {error.strerror or error}; choose with --host and --port"
        ) from error
