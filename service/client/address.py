"""Where a medner server is, and who asks."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from medner.core.errors import UserError

_MOST_KEY_CHARS = 200
#: Keys come from `medner serve keys add`; what is no such word would not get through a header.
_KEY_CHARS = frozenset(map(chr, range(33, 127)))


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A server's URL without a slash at its end, the key, and the file of the authority that signed its certificate.

    ``timeout_s``: a request fails when nothing comes for so long. ``key_hint`` is what a message says where the
    server asks for a key.
    """

    url: str
    key: str | None = field(default=None, repr=False)
    ca: str | None = None
    timeout_s: float = 60.0
    key_hint: str = "give it as key=..., or key_env= with the name of the variable that holds it"

    @property
    def is_secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.url.startswith("https:")

    @property
    def is_readable_on_the_way(self) -> bool:
        """Whether it goes unencrypted to another machine."""
        host = urlsplit(self.url).hostname or ""
        try:
            return not self.is_secure and not ip_address(host).is_loopback
        except ValueError:
            return not self.is_secure and host != "localhost"

    def tls(self) -> ssl.SSLContext | bool:
        """How the server's certificate is checked: against the system's authorities, or that of ``ca`` alone."""
        if not self.is_secure:
            return True
        try:
            return ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise UserError(f"{self.ca}: is no file of certificates: {error.strerror or error}") from error


def server_url(url: str) -> str:
    """The URL as requests use it. UserError for what is no server's address."""
    shown = f"{url!r} is no address of a medner server; write http://127.0.0.1:8080 or https://HOST"
    try:
        parts = urlsplit(url.strip())
        port_is_valid = parts.port != 0
    except ValueError as error:
        raise UserError(shown) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_valid or " " in url.strip():
        raise UserError(shown)
    if parts.username or parts.password:
        # Not repeated: it may be a password.
        raise UserError("the address holds a user or a password; give the key apart from it")
    if parts.query or parts.fragment:
        raise UserError(f"{url!r}: an address has neither ? nor #")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1')}"


def server_key(key: str | None, key_env: str | None) -> str | None:
    """The key, or that of an environment variable; None where neither is given. UserError for what can be none."""
    if key is not None and key_env is not None:
        raise UserError("key and key_env are both given; leave one out")
    where = "key"
    if key_env is not None:
        where, key = key_env, os.environ.get(key_env)
        if not key:
            raise UserError(f"{key_env}: this environment variable is not set; it is to hold the key of the server")
    if key is None:
        return None
    key = key.strip()
    if not 0 < len(key) <= _MOST_KEY_CHARS or not _KEY_CHARS.issuperset(key):
        raise UserError(f"{where}: holds no key; a key is one word of ASCII letters (medner serve keys add NAME)")
    return key
