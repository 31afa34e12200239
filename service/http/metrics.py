"""What the server tells Prometheus: the queue, the jobs, the workers, and its own requests; no text, no id."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from medner.service.worker.metrics import Whole
from medner.store.jobs import Jobs

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)


class HttpMetrics:
    """Counts requests by method, route and status."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._whole = Whole()
        self._registry.register(self._whole)
        self._requests = Counter(
            "medner_http_requests", "Requests answered", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "medner_http_seconds",
            "Seconds until a request was answered whole",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    async def text(self, jobs: Jobs) -> bytes:
        """All numbers, as Prometheus reads them."""
        self._whole.queue, self._whole.workers = await jobs.queue(), tuple(await jobs.workers())
        return generate_latest(self._registry)
