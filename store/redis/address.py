"""Which Redis is meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from medner.core.environment import REDIS_URL, variable
from medner.core.errors import UserError
from medner.core.files.data_folder import data_folder
from medner.store.redis.embedded import EmbeddedValkey

_SCHEMES = ("redis", "rediss", "unix")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A server's URL, which may hold a password and is therefore never printed; ``shown`` names it without.

    ``embedded`` is the server of the data folder, where none is given.
    """

    url: str = field(repr=False)
    shown: str
    embedded: EmbeddedValkey | None = None


def redis_address(environment: Mapping[str, str] | None = None) -> RedisAddress:
    """The server of ``MEDNER_REDIS_URL``, else the embedded one of the data folder, which may not run yet.

    UserError for a URL that is none; the message does not repeat it.
    """
    url = variable(REDIS_URL, environment)
    if not url:
        embedded = EmbeddedValkey(data_folder() / "redis")
        return RedisAddress(embedded.url, f"the embedded Valkey in {embedded.folder}", embedded)
    return address_of_url(url, REDIS_URL)


def address_of_url(url: str, name: str) -> RedisAddress:
    """The server of a URL. UserError for one that is none: it names ``name``, where the URL comes from, and no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
    except ValueError as error:
        raise UserError(f"{name}: is no URL; for example redis://:password@host:6379/0") from error
    if parts.scheme not in _SCHEMES or not (parts.hostname or parts.scheme == "unix"):
        raise UserError(
            f"{name}: needs redis://, rediss:// (TLS) or unix://; for example redis://:password@host:6379/0"
        )
    return RedisAddress(url, f"Redis at {parts.path if parts.scheme == 'unix' else f'{parts.hostname}:{port}'}")
