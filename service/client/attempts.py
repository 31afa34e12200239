"""One request and how often it is sent: what both transports share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx

from medner.core.errors import UserError
from medner.service.client.address import ServerAddress
from medner.service.client.calls import Answer, Call
from medner.service.client.problems import broken_off, problem_of, unreachable

#: Seconds before the second and the third try.
_WAITS_S = (0.25, 1.0)
_LONGEST_WAIT_S = 5.0
_AGAIN = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
JSON = "application/json"
LINES = "application/x-ndjson"


class Attempts:
    """The tries of one request. ``what`` names what it streams.

    It is sent again only where that is safe: one that reads, when no answer came or the server is busy; any other, when
    no connection came about, so that the server has nothing of it. After the first line of a stream it is never.
    """

    def __init__(self, address: ServerAddress, call: Call[Any], what: str = "") -> None:
        self._address = address
        self._call = call
        self._what = what
        self._waits = iter(_WAITS_S)
        self._lines = 0
        self._rest = b""

    def request(self) -> dict[str, Any]:
        """What httpx sends. UserError for what cannot be sent."""
        call = self._call
        request: dict[str, Any] = {"method": call.method, "url": self._address.url + call.path}
        headers = dict(call.headers)
        try:
            query = {name: _word(value) for name, value in call.query.items() if value is not None}
            if query:
                request["params"] = httpx.QueryParams(query)
            if call.body is not None:
                headers["Content-Type"] = JSON
                request["content"] = json.dumps(call.body, ensure_ascii=False).encode()
            if call.upload is not None:
                headers["Content-Type"] = LINES
                request["content"] = call.upload
            for value in headers.values():
                value.encode("ascii")
        except UnicodeEncodeError as error:
            raise UserError("a name or a key holds characters that cannot be sent; use letters and digits") from error
        if headers:
            request["headers"] = headers
        if call.timeout_s is not None:
            request["timeout"] = httpx.Timeout(call.timeout_s, connect=min(5.0, self._address.timeout_s), pool=None)
        return request

    def failed(self, error: httpx.RequestError) -> float:
        """After how many seconds it is sent again. ExternalError where it is not."""
        if self._lines:
            raise broken_off(self._address, self._what, self._lines) from error
        self._rest = b""
        nothing_was_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        wait_s = next(self._waits, None) if self._call.is_repeatable or nothing_was_sent else None
        # A certificate that is not trusted will not be so in a second.
        if wait_s is None or "SSL" in str(error).upper():
            timeout_s = self._call.timeout_s or self._address.timeout_s
            raise unreachable(error, self._address, timeout_s) from error
        return wait_s

    def refused(self, answer: Answer) -> float:
        """After how many seconds it is sent again. The problem as an error where it is not."""
        wait_s = next(self._waits, None) if self._call.is_repeatable and answer.status in _AGAIN else None
        if wait_s is None:
            raise problem_of(answer, self._address)
        asked = answer.headers.get("retry-after", "")
        return min(float(asked), _LONGEST_WAIT_S) if asked.isdecimal() else wait_s

    def split(self, piece: bytes) -> Iterator[bytes]:
        """The lines that a piece completes. Only a line feed ends one: texts may hold other separators."""
        *ended, self._rest = (self._rest + piece).split(b"\n")
        for line in ended:
            self._lines += 1
            if line:
                yield line

    def rest(self) -> Iterator[bytes]:
        """The last line, where no line feed ends it."""
        if self._rest:
            yield self._rest


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    word = str(value)
    word.encode()  # half a surrogate pair is no text
    return word
