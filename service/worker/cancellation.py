"""Whether the present task is to end: for loops that go on whatever happens."""

from __future__ import annotations

import asyncio


def is_cancelled() -> bool:
    """Whether somebody cancelled the present task, even where the cancellation itself was lost.

    The Redis client sends each command within ``asyncio.wait_for``, which before Python 3.12 forgets a cancellation
    that comes in the same turn of the loop as its result. A loop that catches all errors would then never end.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
