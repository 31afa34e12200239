"""Downloads that go on at the byte where they broke."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from medner.core.errors import ExternalError
from medner.core.files.hashing import sha256_of
from medner.store.models.model_files import set_aside

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to download; ``sha256`` is empty when the server does not say it."""

    url: str
    name: str
    size: int | None = None
    sha256: str = ""


class _BrokenError(Exception):
    """A try that may be repeated."""


def shown(url: str) -> str:
    """The address without user name, password and query, fit for messages."""
    parsed = httpx.URL(url)
    return str(parsed.copy_with(userinfo=b"", query=None, fragment=None))


class Downloader:
    """Fetches files with HTTP Range; ``pause`` sleeps the given seconds between tries.

    A try that brought new bytes does not count: only ``attempts`` fruitless tries in a row end a download.
    """

    def __init__(self, client: httpx.Client, *, attempts: int = 4, pause: Callable[[float], None] = time.sleep):
        self._client, self._attempts, self._pause = client, attempts, pause

    def fetch(self, remote: RemoteFile, target: Path, advance: Callable[[int], None]) -> Path:
        """``target``, whole and with the right hash; bytes that have come so far wait in ``*.part``.

        ExternalError when the server cannot be reached, refuses, or sends bytes with another hash (kept as
        ``*.bad``); OSError when the disk refuses.
        """
        if target.exists():
            advance(target.stat().st_size)
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        advance(_size(part))
        fruitless = 0
        while remote.size is None or _size(part) != remote.size:
            before = _size(part)
            try:
                self._continue(remote, part, advance)
                break
            except (httpx.TransportError, _BrokenError) as error:
                fruitless = 0 if _size(part) > before else fruitless + 1
                if fruitless >= self._attempts:
                    raise ExternalError(
                        f"{shown(remote.url)}: {error or type(error).__name__}; {_size(part):,} bytes are kept, "
                        "the same command goes on from there"
                    ) from error
                self._pause(min(2.0 ** (fruitless - 1), 30.0))
        self._check(remote, part)
        part.replace(target)
        return target

    def _continue(self, remote: RemoteFile, part: Path, advance: Callable[[int], None]) -> None:
        have = _size(part)
        # Without identity a server may compress, and the range would count compressed bytes.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with self._client.stream("GET", remote.url, headers=headers, follow_redirects=True) as response:
            if response.status_code in RETRIED:
                raise _BrokenError(f"the server answered {response.status_code}")
            if response.status_code == 416:
                advance(-have)
                part.unlink(missing_ok=True)
                raise _BrokenError("the server's file is shorter than what was here; started again")
            if response.status_code not in (200, 206):
                raise ExternalError(f"{shown(remote.url)}: the server answered {response.status_code}")
            goes_on = response.status_code == 206 and _range_start(response) == have
            if have and not goes_on:
                advance(-have)
            with part.open("ab" if goes_on else "wb") as file:
                for chunk in response.iter_raw():  # a chunk size would buffer, and a break lose the buffer
                    file.write(chunk)
                    advance(len(chunk))
        if remote.size is not None and _size(part) < remote.size:
            raise _BrokenError(f"the connection ended after {_size(part):,} of {remote.size:,} bytes")

    @staticmethod
    def _check(remote: RemoteFile, part: Path) -> None:
        found = sha256_of(part) if remote.sha256 else ""
        if found != remote.sha256:
            bad = set_aside(part)
            raise ExternalError(
                f"{remote.name}: SHA-256 is {found}, the server said {remote.sha256}; kept as {bad}. "
                "The same command downloads it again"
            )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _range_start(response: httpx.Response) -> int:
    # "bytes 100-199/500"
    start = response.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdecimal() else -1
