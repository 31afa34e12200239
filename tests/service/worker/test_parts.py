"""The worker's parts by themselves."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import logging
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from redis import exceptions as errors

from medner.core.errors import UserError
from medner.core.records import Annotation, Failure, Sentence
from medner.service.config.default import default_configuration
from medner.service.config.frozen import freeze, thaw
from medner.service.worker.logs import log_to
from medner.service.worker.metrics import WorkerMetrics
from medner.service.worker.retry_waits import RetryWaits, Stopped, passing
from medner.service.worker.watchdog import Watchdog
from medner.store.jobs import QueueView, WorkerView
from medner.store.redis.address import RedisAddress

ADDRESS = RedisAddress("redis://localhost", "a Redis")


def test_a_configuration_is_the_same_after_its_journey() -> None:
    """Shipped adapters are named by their place in the package: no path of this machine travels."""
    here = default_configuration("cmeee-v2")
    frozen = freeze(here)
    assert thaw(json.loads(json.dumps(frozen))) == here
    assert str(Path(__file__).parents[3]) not in json.dumps(frozen)
    assert any("medner:models/" in str(tagger["adapter"]) for tagger in frozen["taggers"])


def test_adapters_of_ones_own_keep_their_path(tmp_path: Path) -> None:
    """Only what ships is renamed."""
    changed = freeze(default_configuration("cmeee-v2"))
    changed["taggers"][0]["adapter"] = str(tmp_path / "mine")
    assert freeze(thaw(changed))["taggers"][0]["adapter"] == str(tmp_path / "mine")


async def test_what_passes_is_waited_for() -> None:
    """A full disk and a Redis that is away: the call is repeated, the reason is told meanwhile and then gone."""
    retry = RetryWaits(ADDRESS, asyncio.Event())
    seen: list[str] = []
    troubles = [OSError(errno.ENOSPC, "full"), errors.ConnectionError("gone")]

    async def call() -> str:
        seen.append(retry.reason)
        if troubles:
            raise troubles.pop(0)
        return "done"

    assert await retry(call) == "done"
    assert seen == ["", "the disk of the result folder is full", "Redis does not answer"]
    assert retry.reason == ""


async def test_what_does_not_pass_is_raised() -> None:
    """A command that Redis does not know will not be known later."""
    with pytest.raises(errors.ResponseError):
        await RetryWaits(ADDRESS, asyncio.Event())(_raising(errors.ResponseError("unknown command")))


async def test_waiting_ends_with_the_worker() -> None:
    """Who is to end does not wait for a Redis that is away."""
    stopping = asyncio.Event()
    stopping.set()
    with pytest.raises(Stopped):
        await asyncio.wait_for(RetryWaits(ADDRESS, stopping)(_raising(errors.TimeoutError())), 2)


@pytest.mark.parametrize("said", ["MISCONF Errors writing to the AOF file", "OOM command not allowed"])
def test_a_redis_that_takes_no_writes_passes(said: str) -> None:
    """Its disk or memory may have room again."""
    assert "writes" in (passing(errors.ResponseError(said)) or "")


async def test_a_loop_that_stands_still_is_noticed() -> None:
    """The watchdog calls once the loop did not move for its patience, and not before."""
    stuck = threading.Event()
    watchdog = Watchdog(0.3, stuck.set, look_every_s=0.05)
    task = asyncio.create_task(watchdog.run())
    await asyncio.sleep(0.6)
    assert not stuck.is_set()
    assert await _blocked(stuck)
    task.cancel()


async def _blocked(stuck: threading.Event) -> bool:
    return stuck.wait(3)  # holds up the loop


async def test_metrics_are_served_and_hold_no_text() -> None:
    """Counters of this worker, gauges of the whole."""
    metrics = WorkerMetrics()
    sentence = Sentence("张三#0", "患者张三咳嗽。", 0, "张三")
    metrics.annotated(Annotation(sentence, timings={"tag:span": 0.2}))
    metrics.annotated(Annotation(sentence, failures=(Failure("tag", "a", "ExternalError", "张三"),)))
    metrics.failed()
    metrics.look(
        QueueView({"high": 0, "normal": 3}, {"normal": 7.5}, {"running": 1}, 42),
        [WorkerView("w1", "host", 1, "0.1", "paused", "why", 0, 0, 0.0, 0.0)],
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with metrics.served(port, "127.0.0.1"):
        async with httpx.AsyncClient(trust_env=False) as client:
            page = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
        with pytest.raises(UserError, match="--metrics-port"), metrics.served(port, "127.0.0.1"):
            pass
    lines = page.splitlines()
    assert 'medner_sentences_total{result="done"} 1.0' in lines
    assert 'medner_sentences_total{result="partial"} 1.0' in lines
    assert 'medner_sentences_total{result="failed"} 1.0' in lines
    assert 'medner_queue_chunks{priority="normal"} 3.0' in lines
    assert 'medner_queue_oldest_seconds{priority="normal"} 7.5' in lines
    assert "medner_sentences_left 42.0" in lines
    assert 'medner_worker_doing{doing="paused",worker="w1"} 1.0' in lines
    assert 'medner_stage_seconds_count{stage="tag:span"} 1.0' in lines
    assert "张三" not in page


def test_a_log_line_is_json_and_an_exception_is_its_class_alone() -> None:
    """The message of an exception may quote what was read; it is not written."""
    out = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        log_to(out)
        try:
            raise ValueError("患者张三")
        except ValueError:
            logging.getLogger("medner.worker").exception("a chunk broke off", extra={"job": "j", "chunk": 3})
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    line = json.loads(out.getvalue())
    assert (line["message"], line["job"], line["chunk"], line["exception"]) == (
        "a chunk broke off",
        "j",
        3,
        "ValueError",
    )
    assert "张三" not in out.getvalue()


def _raising(error: Exception) -> Callable[[], Awaitable[None]]:
    async def call() -> None:
        raise error

    return call
