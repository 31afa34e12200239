"""What goes wrong between client and server, as errors of medner's tree: one line with the way out."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import httpx

from medner.core.errors import ExternalError, MednerError, RefusedError
from medner.service.client.address import ServerAddress
from medner.service.client.calls import Answer

_PREFIX = "urn:medner:problem:"
#: Members of every problem (RFC 9457); the others are a kind's own.
_COMMON = frozenset({"type", "title", "status", "detail"})


def problem_of(answer: Answer, address: ServerAddress) -> MednerError:
    """The error of an answer from 300 up."""
    problem = _problem(answer)
    if problem is None:
        return _foreign(answer, address)
    kind, detail = problem["type"].removeprefix(_PREFIX), str(problem["detail"])
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.REQUEST_TIMEOUT:
        return ExternalError(f"{address.url}: {detail}")
    if answer.status == HTTPStatus.UNAUTHORIZED:
        detail = f"{address.url}: {detail.partition(';')[0]}; {address.key_hint} (medner serve keys add NAME makes one)"
    elif kind == "unknown-path":
        detail = f"{address.url}: does not know this request; the server may be an older medner than this one"
    members = {name: value for name, value in problem.items() if name not in _COMMON}
    return RefusedError(detail, kind=kind, status=answer.status, members=members)


def unreachable(error: httpx.RequestError, address: ServerAddress, timeout_s: float) -> ExternalError:
    """The error of a request that got no answer."""
    if isinstance(error, httpx.ConnectTimeout):
        return ExternalError(f"{address.url}: does not answer; is the address right, and medner serve running there?")
    if isinstance(error, httpx.TimeoutException):
        return ExternalError(f"{address.url}: no answer within {timeout_s:g} s; try again, or give it more time")
    if isinstance(error, httpx.ConnectError):
        if "CERTIFICATE" in str(error).upper():
            return ExternalError(
                f"{address.url}: its certificate is not trusted here; name the authority's file with ca=, or in "
                "SSL_CERT_FILE"
            )
        if "SSL" in str(error).upper():
            return ExternalError(f"{address.url}: no encrypted connection; is it an http:// address?")
        return ExternalError(f"{address.url}: cannot be reached; is the address right, and medner serve running there?")
    return ExternalError(f"{address.url}: the connection broke off ({type(error).__name__}); try again")


def broken_off(address: ServerAddress, what: str, lines: int) -> ExternalError:
    """The error of a stream that ended in its middle."""
    return ExternalError(f"{address.url}: {what} broke off after {lines:,} lines and are not complete; ask again")


def _problem(answer: Answer) -> dict[str, Any] | None:
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        found = json.loads(answer.content)
    except ValueError:
        return None
    is_ours = isinstance(found, dict) and str(found.get("type", "")).startswith(_PREFIX) and "detail" in found
    return found if is_ours else None


def _foreign(answer: Answer, address: ServerAddress) -> MednerError:
    """The error of an answer that medner did not write: a proxy's, another program's."""
    shown = f"{answer.status} {HTTPStatus(answer.status).phrase}" if answer.status in _STATUSES else str(answer.status)
    if answer.status < HTTPStatus.BAD_REQUEST:
        where = answer.headers.get("location", "").partition("?")[0]
        return RefusedError(
            f"{address.url}: sends on to {where or 'another address'} ({shown}), which is not followed; give the "
            "server's own address",
            kind="redirect",
            status=answer.status,
        )
    if answer.status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT):
        return ExternalError(f"{address.url}: a proxy answers {shown}; is medner serve running behind it?")
    return RefusedError(
        f"{address.url}: answers {shown}, but not as a medner server does; is the address right?",
        kind="foreign",
        status=answer.status,
    )


_STATUSES = frozenset(status.value for status in HTTPStatus)
