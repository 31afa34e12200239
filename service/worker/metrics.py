"""What a worker tells Prometheus: numbers of the queue, the jobs, the workers and its own sentences; no text."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from medner.core.errors import UserError
from medner.core.records import Annotation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from medner.store.jobs import QueueView, WorkerView

_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)


class WorkerMetrics:
    """Counts what this worker does; :meth:`look` takes in what Redis says of the whole."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._whole = Whole()
        self.registry.register(self._whole)
        self._sentences = Counter(
            "medner_sentences", "Sentences by what became of them here", ["result"], registry=self.registry
        )
        self._done, self._partial, self._failed = map(self._sentences.labels, ("done", "partial", "failed"))
        self._conflicts = Counter("medner_conflicts", "Conflicts found", registry=self.registry)
        self._judged = Counter("medner_judge_calls", "Conflicts a judge model was asked about", registry=self.registry)
        self._fallbacks = Counter("medner_judge_fallbacks", "Verdicts by the fallback rule", registry=self.registry)
        self._stages = Histogram(
            "medner_stage_seconds", "Seconds a stage of a sentence", ["stage"], buckets=_SECONDS, registry=self.registry
        )
        self._stage = cache(self._stages.labels)

    def annotated(self, annotation: Annotation) -> None:
        """A sentence got its result."""
        (self._partial if annotation.failures else self._done).inc()
        if annotation.conflicts:
            self._conflicts.inc(len(annotation.conflicts))
            self._judged.inc(sum(1 for verdict in annotation.verdicts if verdict.prompt))
            self._fallbacks.inc(sum(1 for verdict in annotation.verdicts if verdict.fallback is not None))
        for stage, seconds in annotation.timings.items():
            self._stage(stage).observe(seconds)

    def failed(self) -> None:
        """An attempt at a sentence gave no result."""
        self._failed.inc()

    def look(self, queue: QueueView, workers: Iterable[WorkerView]) -> None:
        """Takes in how long the queue is, the jobs by state, and the workers."""
        self._whole.queue, self._whole.workers = queue, tuple(workers)

    @contextmanager
    def served(self, port: int, host: str) -> Iterator[None]:
        """Answers Prometheus on a port within the block. UserError when the port cannot be had."""
        try:
            server, thread = start_http_server(port, host, registry=self.registry)
        except OSError as error:
            raise UserError(f"--metrics-port {port}: {error.strerror}") from error
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class Whole(Collector):
    """The state of all jobs, as it was last looked at."""

    def __init__(self) -> None:
        self.queue: QueueView | None = None
        self.workers: tuple[WorkerView, ...] = ()

    def collect(self) -> Iterable[Metric]:
        """The gauges."""
        depth = GaugeMetricFamily("medner_queue_chunks", "Chunks that wait or are worked on", labels=["priority"])
        age = GaugeMetricFamily("medner_queue_oldest_seconds", "Age of the oldest message", labels=["priority"])
        jobs = GaugeMetricFamily("medner_jobs", "Jobs by state", labels=["state"])
        left = GaugeMetricFamily("medner_sentences_left", "Sentences of active jobs that have no result yet")
        seen = GaugeMetricFamily("medner_worker_seen_seconds", "Since a worker's last sign of life", labels=["worker"])
        doing = GaugeMetricFamily("medner_worker_doing", "1 for what a worker does", labels=["worker", "doing"])
        if self.queue is not None:
            for priority, count in self.queue.chunks.items():
                depth.add_metric([priority], count)
            for priority, seconds in self.queue.oldest_s.items():
                age.add_metric([priority], seconds)
            for state, count in self.queue.jobs.items():
                jobs.add_metric([state], count)
            left.add_metric([], self.queue.sentences_left)
        for worker in self.workers:
            seen.add_metric([worker.id], max(0.0, time.time() - worker.seen_s))
            doing.add_metric([worker.id, worker.doing], 1)
        return [depth, age, jobs, left, seen, doing]
