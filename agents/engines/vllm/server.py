"""One OpenAI-compatible vLLM server over HTTP: requests, what it serves, whether it lives."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from medner.agents.engines.vllm.adapter_identity import unmarked
from medner.core.errors import ExternalError, UserError

#: Of a server's message so much is shown, and of that only ASCII: it may quote the prompt, and that is a patient's.
_SHOWN = 240
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server is: ``url`` without a path, ``concurrency`` requests at a time, ``key`` for a bearer token."""

    url: str
    concurrency: int = 32
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that a server lists. ``context`` is the most tokens of prompt and answer together, None if not said.

    ``parent`` is the base of an adapter.
    """

    name: str
    context: int | None
    parent: str | None = None


class BusyError(ExternalError):
    """The server cannot take the request now. ``after_s`` is how long it asks to wait, None if it does not say."""

    def __init__(self, message: str, after_s: float | None = None):
        self.after_s = after_s
        super().__init__(message)


class UnreachableError(ExternalError):
    """No answer: the connection failed or broke, or the server took too long."""


class NotServedError(ExternalError):
    """The server does not know the model."""


class Server:
    """A server that is asked. ``alive`` and ``models`` are what was last known of it."""

    def __init__(
        self, address: ServerAddress, *, timeout_s: float = 120, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self.alive = True
        self.models: dict[str, ServedModel] = {}
        #: Which adapters the server has, by their names, as far as it says so (adapter_identity.py).
        self.identities: dict[str, str] = {}
        #: A connection was made since it was last asked for its models: it may have been started anew.
        self.reconnected = False
        self.waiting = 0
        self._slots = asyncio.Semaphore(address.concurrency)
        headers = {} if address.key is None else {"Authorization": f"Bearer {address.key}"}
        # Proxies of the environment and redirects would take patient text to places nobody configured.
        self._client = httpx.AsyncClient(
            base_url=address.url.rstrip("/").removesuffix("/v1"),
            headers=headers,
            timeout=httpx.Timeout(timeout_s, connect=_PATIENCE_S, pool=None),
            limits=httpx.Limits(max_connections=address.concurrency + 4, max_keepalive_connections=address.concurrency),
            trust_env=False,
            follow_redirects=False,
            transport=transport,
        )

    @property
    def load(self) -> float:
        """Requests under way and waiting, as a share of what the server takes at a time."""
        return self.waiting / self.address.concurrency

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The server's answer as plain data.

        Raises BusyError, UnreachableError or NotServedError, which another try or another server may mend, and
        UserError for what none will.
        """
        self.waiting += 1
        try:
            async with self._slots:
                return self._read(await self._send("POST", path, body))
        finally:
            self.waiting -= 1

    async def refresh(self) -> None:
        """Asks what the server serves. Raises what :meth:`post` raises."""
        data = self._read(await self._send("GET", "/v1/models", patience_s=_PATIENCE_S))
        try:
            found = [ServedModel(one["id"], one.get("max_model_len"), one.get("parent")) for one in data["data"]]
        except (KeyError, TypeError) as error:
            raise UserError(
                f"{self.address.url}: /v1/models answers in a form that is not an OpenAI server's"
            ) from error
        base = next((one.context for one in found if one.context is not None), None)
        # An adapter's entry leaves the context out: it has its base's.
        marks = {one.name: mark for one in found if (mark := unmarked(one.name)) is not None}
        self.identities = dict(marks.values())
        self.models = {
            one.name: ServedModel(one.name, one.context or base, one.parent) for one in found if one.name not in marks
        }
        self.reconnected = False
        self.alive = True

    async def version(self) -> str:
        """The version that the server says it is, "" if it says none."""
        data = self._read(await self._send("GET", "/version", patience_s=_PATIENCE_S))
        return str(data.get("version", ""))

    async def healthy(self) -> bool:
        """Whether the server answers its health check."""
        try:
            return (await self._send("GET", "/health", patience_s=_PATIENCE_S)).is_success
        except UnreachableError:
            return False

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, patience_s: float | None = None
    ) -> httpx.Response:
        timeout = httpx.USE_CLIENT_DEFAULT if patience_s is None else httpx.Timeout(patience_s)
        try:
            request = self._client.build_request(method, path, json=body, timeout=timeout)
            request.extensions["trace"] = self._traced
            # A server that sends a byte now and then would never be too late for the client's own timeouts.
            async with asyncio.timeout(self._timeout_s if patience_s is None else patience_s):
                return await self._client.send(request)
        except (httpx.TimeoutException, TimeoutError) as error:
            raise UnreachableError(f"{self.address.url}: no answer in time ({type(error).__name__})") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise UnreachableError(f"{self.address.url}: cannot be reached ({type(error).__name__})") from error

    async def _traced(self, event: str, _: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self.reconnected = True

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        status, url = response.status_code, self.address.url
        if response.is_success:
            try:
                data = response.json()
            except ValueError as error:
                raise UnreachableError(f"{url}: its answer is not JSON") from error
            if not isinstance(data, dict):
                raise UnreachableError(f"{url}: its answer is not a JSON object")
            return data
        reason = _reason(response)
        if status in (429, 503):
            raise BusyError(f"{url}: busy ({status}{reason})", _seconds(response.headers.get("retry-after")))
        if status == 404:
            raise NotServedError(f"{url}: not found ({status}{reason})")
        if status in (401, 403):
            raise UserError(
                f"{url}: refuses the key ({status}); set key_env of the server to the variable that holds it"
            )
        if status >= 500:
            raise UnreachableError(f"{url}: failed ({status}{reason})")
        raise UserError(f"{url}: refused the request ({status}{reason})")


def _reason(response: httpx.Response) -> str:
    """What the server answered, as far as it cannot be a patient's text."""
    try:
        data = response.json()
        message = data["error"]["message"] if isinstance(data.get("error"), dict) else data.get("message", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    plain = "".join(char for char in str(message) if char.isascii() and char.isprintable())
    return f": {plain[:_SHOWN].strip()}" if plain.strip() else ""


def _seconds(header: str | None) -> float | None:
    try:
        return None if header is None else max(0.0, float(header))
    except ValueError:
        return None
