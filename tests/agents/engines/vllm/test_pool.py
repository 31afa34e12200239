"""Several servers as one: what is tried again, where, and what is not."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from medner.core.errors import ExternalError, UserError
from tests.agents.engines.vllm.play import Play, break_off, pool_of, refuse, say

CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "咽痛"}], "max_tokens": 8}


async def test_a_broken_connection_is_tried_again_on_the_other_replica() -> None:
    """The first server breaks off and is taken out; the second answers."""
    bad, good = Play(faults=[break_off] * 9), Play()
    pool = pool_of(bad, good)
    await pool.open()
    for _ in range(4):
        assert (await pool.post("base", CHAT, ASK))["choices"]
    assert len(bad.seen) == 1
    assert [server.alive for server in pool.servers] == [False, True]
    await pool.close()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_busy_and_failing_servers_are_tried_again(status: int) -> None:
    """429 and 5xx pass; the same request is sent again, to a failing server once it is found to be well."""
    play = Play(faults=[say(status), say(status)])
    pool = pool_of(play)
    await pool.open()
    assert (await pool.post("base", CHAT, ASK))["choices"]
    assert len(play.seen) == 3
    await pool.close()


async def test_retry_after_is_waited_for() -> None:
    """A server's own word on when to come back counts."""
    play = Play(faults=[say(429, **{"retry-after": "0.05"})])
    pool = pool_of(play)
    await pool.open()
    began = asyncio.get_running_loop().time()
    await pool.post("base", CHAT, ASK)
    assert asyncio.get_running_loop().time() - began >= 0.05
    await pool.close()


async def test_attempts_are_capped_and_the_error_names_server_and_model() -> None:
    """After the last attempt an ExternalError says where and what, without the prompt."""
    play = Play(faults=[say(503)] * 9)
    pool = pool_of(play, attempts=3)
    await pool.open()
    with pytest.raises(ExternalError, match=r"http://server0: busy .*model base, 3 attempts") as caught:
        await pool.post("base", CHAT, ASK)
    assert "咽痛" not in str(caught.value)
    assert len(play.seen) == 3
    await pool.close()


async def test_a_refused_request_is_not_repeated_and_its_message_loses_the_text() -> None:
    """400 is the request's fault; what the server quotes of it is not shown."""
    play = Play(faults=[say(400, "prompt 患者咽痛三天 is too long")])
    pool = pool_of(play)
    await pool.open()
    with pytest.raises(UserError, match="prompt  is too long") as caught:
        await pool.post("base", CHAT, ASK)
    assert "咽痛" not in str(caught.value)
    assert len(play.seen) == 1
    await pool.close()


async def test_a_model_nobody_serves_names_those_that_are() -> None:
    """The message lists what the servers have."""
    pool = pool_of(Play())
    await pool.open()
    with pytest.raises(UserError, match=r"'other'; they serve base, cmeee-v2\.symbol"):
        await pool.post("other", CHAT, ASK)
    await pool.close()


async def test_a_model_that_was_unloaded_is_asked_for_elsewhere() -> None:
    """404 on one replica: the other one is asked, and later requests go there at once."""
    first, second = Play(), Play()
    pool = pool_of(first, second)
    await pool.open()
    del first.models["base"]
    for _ in range(3):
        await pool.post("base", CHAT, ASK)
    assert len(first.seen) <= 1
    await pool.close()


async def test_without_any_server_the_message_says_how_to_start_one() -> None:
    """All addresses are named."""
    pool = pool_of(Play(down=True), Play(down=True))
    with pytest.raises(ExternalError, match=r"http://server0, http://server1; medner serve-models"):
        await pool.open()
    await pool.close()


async def test_a_server_that_comes_back_is_taken_in_again() -> None:
    """Its health is asked in the background; afterwards it has its new models."""
    play = Play(down=True)
    pool = pool_of(play, Play(models={"base": 4096}))
    await pool.open()
    assert not pool.servers[0].alive
    play.down = False
    async with asyncio.timeout(5):
        while not pool.servers[0].alive:  # noqa: ASYNC110  the pool tells nobody
            await asyncio.sleep(0.05)
    assert "cmeee-v2.symbol" in pool.servers[0].models
    await pool.close()


async def test_concurrency_is_bounded_and_spread_over_replicas() -> None:
    """Eight requests on two servers of two slots: never more than two at a time on one, both work."""
    running = {"http://server0": 0, "http://server1": 0}
    most = dict(running)

    class Slow(httpx.AsyncBaseTransport):
        def __init__(self, url: str) -> None:
            self.url, self.play = url, Play()

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                running[self.url] += 1
                most[self.url] = max(most[self.url], running[self.url])
                await asyncio.sleep(0.01)
                running[self.url] -= 1
            await request.aread()
            return self.play(request)

    from medner.agents.engines.vllm.pool import Pool
    from medner.agents.engines.vllm.server import ServerAddress

    pool = Pool([ServerAddress(url, 2) for url in running], transport=lambda address: Slow(address.url))
    await pool.open()
    await asyncio.gather(*(pool.post("base", CHAT, ASK) for _ in range(8)))
    assert most == {"http://server0": 2, "http://server1": 2}
    await pool.close()


async def test_a_cancelled_task_frees_its_slot() -> None:
    """Whoever no longer waits does not hold up the others."""

    class Stuck(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                await asyncio.sleep(60)
            return Play()(request)

    from medner.agents.engines.vllm.pool import Pool
    from medner.agents.engines.vllm.server import ServerAddress

    pool = Pool([ServerAddress("http://server0", 1)], transport=lambda _: Stuck())
    await pool.open()
    task = asyncio.create_task(pool.post("base", CHAT, ASK))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.servers[0].waiting == 0
    await pool.close()


def test_a_pool_without_servers_is_refused() -> None:
    """There is nothing to ask."""
    with pytest.raises(UserError, match="--server"):
        pool_of()


def test_the_key_is_not_shown() -> None:
    """A server's address prints without its key."""
    from medner.agents.engines.vllm.server import ServerAddress

    assert "secret" not in repr(ServerAddress("http://server0", key="secret"))


def test_refusing_is_a_connection_error() -> None:
    """The play's own fault is the one httpx raises for a port nobody listens on."""
    with pytest.raises(httpx.ConnectError):
        refuse(httpx.Request("GET", "http://server0"))


async def test_a_model_that_came_later_is_found() -> None:
    """Adapters are loaded into servers that run."""
    play = Play()
    pool = pool_of(play)
    await pool.open()
    play.models["late"] = 4096
    assert (await pool.post("late", CHAT, ASK))["choices"]
    await pool.close()
