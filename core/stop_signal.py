"""Ctrl-C and SIGTERM as a wish that long work looks at between its steps."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_asked(on_ask: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Whether somebody asked to stop, within the block; a second asking raises KeyboardInterrupt at once.

    ``on_ask`` is called at the first asking. Only for the main thread, as signals are.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  the form of a signal handler
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        on_ask()

    before = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
