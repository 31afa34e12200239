"""Several vLLM servers as one: who serves a model, who is least busy, what is tried again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx

from medner.agents.engines.vllm.server import (
    BusyError,
    NotServedError,
    ServedModel,
    Server,
    ServerAddress,
    UnreachableError,
)
from medner.core.errors import ExternalError, MednerError, UserError

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 20.0
_HEALTH_EVERY_S = 2.0


class Pool:
    """Servers by the models they serve; any number of tasks may ask at once.

    This is the one layer that tries again: after a broken connection, a timeout, 429 and 5xx, up to ``attempts`` times
    with growing random pauses, on another replica first where there is one. A server that cannot be reached is taken
    out, asked for its health every two seconds, and taken back in. A model nobody is known to serve is asked for once
    more, for adapters are loaded while servers run. ``identities`` are those of the wanted adapters, by their names: a
    server that says another one does not have the model. ``transport`` replaces the network in tests.
    """

    def __init__(
        self,
        addresses: Sequence[ServerAddress],
        *,
        timeout_s: float = 120,
        attempts: int = 4,
        identities: Mapping[str, str] | None = None,
        transport: Callable[[ServerAddress], httpx.AsyncBaseTransport] | None = None,
        rest: Callable[[float], float] = lambda most: random.uniform(0, most),  # noqa: S311  jitter is no secret
    ) -> None:
        if not addresses:
            raise UserError("a vLLM engine needs the address of at least one server (--server URL)")
        self.servers = tuple(
            Server(one, timeout_s=timeout_s, transport=transport(one) if transport else None) for one in addresses
        )
        self._attempts = attempts
        self._identities = dict(identities or {})
        self._rest = rest
        self._nurses: dict[Server, asyncio.Task[None]] = {}
        self._turn = 0
        self._looking = asyncio.Lock()
        self._looked = -_HEALTH_EVERY_S

    async def open(self) -> None:
        """Asks every server what it serves; those that do not answer are taken out. ExternalError when none does."""
        reached = await asyncio.gather(*(self._meet(server) for server in self.servers))
        if not any(reached):
            urls = ", ".join(server.address.url for server in self.servers)
            raise ExternalError(f"no vLLM server answers at {urls}; medner serve-models starts one")

    def served(self, model: str) -> list[ServedModel]:
        """What the servers that live say of a model; empty when none has it."""
        return [server.models[model] for server in self.servers if server.alive and self._has(server, model)]

    def foreign(self, model: str) -> list[Server]:
        """The servers that live and have another adapter under the name of ``model``."""
        return [one for one in self.servers if one.alive and model in one.models and not self._has(one, model)]

    async def serves(self, model: str) -> bool:
        """Whether a server that lives has a model; they are asked again where none is known to have it."""
        if not self.served(model):
            await self._look_again()
        return bool(self.served(model))

    async def post(self, model: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A server's answer about ``model``.

        UserError for a request no server will take; ExternalError when it did not work out in all attempts.
        """
        tried: list[Server] = []
        failure: MednerError | None = None
        for attempt in range(self._attempts):
            if attempt:
                await self._pause(attempt, failure, fresh=self._choose(model, tried) not in (None, *tried))
            server = self._choose(model, tried)
            if server is None and attempt == 0:
                await self._look_again()
                server = self._choose(model, tried)
            if server is None:
                failure = failure or ExternalError(self._nobody(model))
                continue
            tried.append(server)
            try:
                answer = await server.post(path, {"model": model, **body})
                if server.reconnected and model in self._identities:
                    # It may have been started again, with another adapter under the name.
                    await server.refresh()
                    if not self._has(server, model):
                        raise NotServedError(self._nobody(model))
                return answer
            except UnreachableError as error:
                failure = error
                self._take_out(server)
            except BusyError as error:
                failure = error
            except NotServedError as error:
                failure = error
                if self._has(server, model):
                    server.models.pop(model, None)
        if isinstance(failure, NotServedError) or not any(self._has(server, model) for server in self.servers):
            raise UserError(self._nobody(model)) from failure
        raise ExternalError(f"{failure} (model {model}, {self._attempts} attempts)") from failure

    async def close(self) -> None:
        """Closes all connections; requests under way fail."""
        for nurse in self._nurses.values():
            nurse.cancel()
        await asyncio.gather(*self._nurses.values(), return_exceptions=True)
        await asyncio.gather(*(server.close() for server in self.servers))

    async def _look_again(self) -> None:
        """Asks the servers that live what they serve now, at most every two seconds."""
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if now - self._looked >= _HEALTH_EVERY_S:
                self._looked = now
                alive = [server for server in self.servers if server.alive]
                await asyncio.gather(*(server.refresh() for server in alive), return_exceptions=True)

    def _choose(self, model: str, tried: Sequence[Server]) -> Server | None:
        """The least busy server that has the model, one that was not tried yet if possible; equals take turns."""
        able = [server for server in self.servers if server.alive and self._has(server, model)]
        if not able:
            return None
        self._turn += 1
        order = {server: (number + self._turn) % len(able) for number, server in enumerate(able)}
        return min(able, key=lambda server: (tried.count(server), server.load, order[server]))

    def _has(self, server: Server, model: str) -> bool:
        """Whether a server has a model, and not another adapter under its name."""
        wanted, told = self._identities.get(model), server.identities.get(model)
        return model in server.models and (wanted is None or told is None or told == wanted)

    async def _pause(self, attempt: int, failure: MednerError | None, *, fresh: bool) -> None:
        """Waits before another try; not at all before the first try of another replica."""
        if fresh:
            return
        asked = failure.after_s if isinstance(failure, BusyError) else None
        most = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**attempt)
        await asyncio.sleep(min(asked, _LONGEST_WAIT_S) if asked is not None else self._rest(most))

    async def _meet(self, server: Server) -> bool:
        try:
            await server.refresh()
        except ExternalError:
            self._take_out(server)
            return False
        return True

    def _take_out(self, server: Server) -> None:
        server.alive = False
        nurse = self._nurses.get(server)
        if nurse is None or nurse.done():
            self._nurses[server] = asyncio.create_task(self._nurse(server))

    async def _nurse(self, server: Server) -> None:
        """Takes a server in again once it is well."""
        while not server.alive:
            if await server.healthy():
                # It may have been started anew, with other models.
                with suppress(ExternalError, UserError):
                    await server.refresh()
                    return
            await asyncio.sleep(_HEALTH_EVERY_S)

    def _nobody(self, model: str) -> str:
        if foreign := self.foreign(model):
            urls = ", ".join(server.address.url for server in foreign)
            return (
                f"{urls}: runs another adapter under the name {model!r} than this configuration's folder holds; start "
                "it again with this adapter (medner serve-models), or use the folder that it was started with"
            )
        known = sorted({name for server in self.servers for name in server.models})
        there = f"; they serve {', '.join(known)}" if known else ""
        return (
            f"no vLLM server that answers serves the model {model!r}{there}; medner serve-models starts one that does"
        )
