"""Runs the benchmark of benchmarks/job_queue/: what the job path costs beside saq and redis-py alone."""

from __future__ import annotations

import asyncio

from job_queue.command import main

if __name__ == "__main__":
    asyncio.run(main())
