"""Servers that misbehave on a real connection: they stall, drip, or come back with another adapter."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from medner.agents.engines.vllm.adapter_identity import marked
from medner.agents.engines.vllm.checks import Need, check_servers
from medner.agents.engines.vllm.pool import Pool
from medner.agents.engines.vllm.server import ServerAddress
from medner.core.errors import ExternalError, UserError
from medner.core.findings import Level
from tests.free_port import free_port

CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "咽痛"}], "max_tokens": 8}
SYMBOL = "cmeee-v2.symbol"
MINE, OTHER = "0123456789abcdef", "fedcba9876543210"
Answer = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


async def whole(writer: asyncio.StreamWriter, body: bytes) -> None:
    """The answer at once."""
    writer.write(body)


async def stalls(writer: asyncio.StreamWriter, body: bytes) -> None:
    """Half of the answer, then nothing more."""
    writer.write(body[: len(body) // 2])
    await writer.drain()
    await asyncio.sleep(30)


async def drips(writer: asyncio.StreamWriter, body: bytes) -> None:
    """A byte now and then: never silent for long, never done."""
    for place in range(len(body) - 1):
        writer.write(body[place : place + 1])
        await writer.drain()
        await asyncio.sleep(0.2)


@asynccontextmanager
async def server(port: int, answer: Answer = whole, identity: str = MINE) -> AsyncIterator[str]:
    """A server on a port that serves one adapter; chats are answered by ``answer``. Its end breaks connections."""
    listed = ["base", SYMBOL, marked(SYMBOL, identity)]
    models = json.dumps({"data": [{"id": name, "max_model_len": 512} for name in listed]}).encode()
    chat = json.dumps({"choices": [{"message": {"content": identity}}]}).encode()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                told = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                await reader.readexactly(int(told[0]) if told else 0)
                is_chat = CHAT.encode() in head
                body = chat if is_chat else models
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body))
                await (answer if is_chat else whole)(writer, body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def pool(*urls: str, timeout_s: float = 5, attempts: int = 2) -> AsyncIterator[Pool]:
    """An open pool that wants one adapter."""
    made = Pool(
        [ServerAddress(url) for url in urls],
        timeout_s=timeout_s,
        attempts=attempts,
        identities={SYMBOL: MINE},
        rest=lambda _: 0.0,
    )
    await made.open()
    try:
        yield made
    finally:
        await made.close()


@pytest.mark.parametrize("answer", [stalls, drips])
async def test_an_answer_that_does_not_end_is_asked_for_elsewhere(answer: Answer) -> None:
    """The time of a request is over all of its answer; the next replica gives it."""
    async with server(free_port(), answer) as bad, server(free_port()) as good, pool(bad, good, timeout_s=0.5) as asked:
        async with asyncio.timeout(10):
            for _ in range(3):
                assert (await asked.post(SYMBOL, CHAT, ASK))["choices"]


@pytest.mark.parametrize("answer", [stalls, drips])
async def test_where_there_is_no_other_the_error_says_so(answer: Answer) -> None:
    """After the last attempt, in a line."""
    async with server(free_port(), answer) as bad, pool(bad, timeout_s=0.3) as asked:
        with pytest.raises(ExternalError, match="no answer in time"):
            async with asyncio.timeout(10):
                await asked.post(SYMBOL, CHAT, ASK)


async def test_another_adapter_under_the_name_is_refused_from_the_start() -> None:
    """A finding that says what to do, and no answer; the base model is served as before."""
    async with server(free_port(), identity=OTHER) as url, pool(url) as asked:
        found = await check_servers(asked, [Need(SYMBOL)])
        (level,) = [one.level for one in found if f"runs another adapter under the name {SYMBOL}" in one.what]
        assert level is Level.ERROR
        with pytest.raises(UserError, match=r"runs another adapter under the name 'cmeee-v2\.symbol'"):
            await asked.post(SYMBOL, CHAT, ASK)
        assert (await asked.post("base", CHAT, ASK))["choices"]
        assert set(asked.servers[0].models) == {"base", SYMBOL}, "the further name is none of a model"


async def test_a_server_started_again_with_another_adapter_is_noticed() -> None:
    """Between two requests, so that none of them failed: the answer on the new connection is not taken."""
    port = free_port()
    async with AsyncExitStack() as ending:
        first = AsyncExitStack()
        url = await first.enter_async_context(server(port))
        asked = await ending.enter_async_context(pool(url))
        assert (await asked.post(SYMBOL, CHAT, ASK))["choices"][0]["message"]["content"] == MINE
        await first.aclose()
        await ending.enter_async_context(server(port, identity=OTHER))
        with pytest.raises(UserError, match="runs another adapter under the name"):
            await asked.post(SYMBOL, CHAT, ASK)


async def test_a_server_started_again_with_the_same_adapter_goes_on() -> None:
    """Nothing is asked of the user."""
    port = free_port()
    async with AsyncExitStack() as ending:
        first = AsyncExitStack()
        url = await first.enter_async_context(server(port))
        asked = await ending.enter_async_context(pool(url))
        await first.aclose()
        await ending.enter_async_context(server(port))
        assert (await asked.post(SYMBOL, CHAT, ASK))["choices"]
