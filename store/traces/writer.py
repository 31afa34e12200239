"""Writes traces in a thread of its own, many in one transaction, so that sentences do not wait for the disk."""

from __future__ import annotations

import queue
import threading

from medner.core.errors import MednerError
from medner.store.traces.backend import TraceBackend
from medner.store.traces.records import Trace

#: A sentence waits for the disk only when so many traces do already.
MOST_WAITING = 2_048
_MOST_AT_ONCE = 256


class TraceWriter:
    """A queue before a backend. A trace that cannot be written is counted; the run it is of goes on.

    Traces put are on disk after :meth:`flush`. Without it they are within a moment.
    """

    def __init__(self, backend: TraceBackend, *, most_waiting: int = MOST_WAITING) -> None:
        self._backend = backend
        self._waiting: queue.Queue[Trace | None] = queue.Queue(most_waiting)
        self.written = 0
        self.lost = 0
        self.first_problem = ""
        self._thread = threading.Thread(target=self._work, name="traces", daemon=True)
        self._thread.start()

    def put(self, trace: Trace) -> None:
        """Takes a trace; waits where too many are waiting."""
        self._waiting.put(trace)

    def flush(self) -> None:
        """Returns when all that was put is written or counted as lost."""
        self._waiting.join()

    def close(self) -> None:
        """Writes what is waiting and ends the thread; the backend stays open."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        open_ = True
        while open_:
            batch = [self._waiting.get()]
            while len(batch) < _MOST_AT_ONCE:
                try:
                    batch.append(self._waiting.get_nowait())
                except queue.Empty:
                    break
            open_ = None not in batch
            self._write([trace for trace in batch if trace is not None])
            for _ in batch:
                self._waiting.task_done()

    def _write(self, traces: list[Trace]) -> None:
        if not traces:
            return
        try:
            self._backend.write(traces)
            self.written += len(traces)
        except (MednerError, TypeError, ValueError) as error:
            # One that cannot be written as it is must not take the others with it.
            if len(traces) > 1:
                for trace in traces:
                    self._write([trace])
                return
            self.lost += 1
            self.first_problem = self.first_problem or str(error)
