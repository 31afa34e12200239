"""A medner server of the test's own loop, on a real Valkey, and a scripted worker beside it."""

from tests.service.http.conftest import client, serving
from tests.service.worker.conftest import address, jobs, redis, working

__all__ = ["address", "client", "jobs", "redis", "serving", "working"]
