"""`medner worker`: does the jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from medner.service.cli.bounds import DAY_S, finite, not_empty

HELP = """Process the jobs of medner submit until stopped. Run any number of workers, on any number of machines.

After Ctrl-C or SIGTERM the worker finishes its running sentences and returns the rest of its chunks to the queue. A \
second Ctrl-C ends it at once: other workers take over its chunks after --lease. Nothing is lost either way.

\b
Examples:
  medner worker
  medner worker --concurrency 64            # with vLLM servers: many sentences at a time
  MEDNER_REDIS_URL=redis://:password@host:6379/0 medner worker --metrics-port 9105

The log on standard error is JSON lines, without any text of a note.

Exit code: 0 stopped; 2 wrong option; 3 Redis failed at the start; 70 the worker did not stop and was ended.
"""


def register(app: typer.Typer) -> None:
    """Adds the subcommand."""
    app.command("worker", help=HELP)(worker)


def worker(
    *,
    concurrency: Annotated[
        int, typer.Option("--concurrency", metavar="N", min=1, max=1_024, help="Sentences at a time.")
    ] = 16,
    chunks: Annotated[int, typer.Option("--chunks", metavar="N", min=1, max=64, help="Chunks at a time.")] = 2,
    lease: Annotated[
        float,
        typer.Option(
            "--lease",
            metavar="SECONDS",
            min=1,
            max=DAY_S,
            callback=finite,
            help="A worker without a sign of life for this long loses its chunks.",
        ),
    ] = 30,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            "--metrics-port", metavar="PORT", min=1, max=65_535, help="Serve Prometheus metrics on this port."
        ),
    ] = None,
    metrics_host: Annotated[
        str,
        typer.Option(
            "--metrics-host", metavar="HOST", callback=not_empty, help="Address on which the metrics are served."
        ),
    ] = "127.0.0.1",
) -> None:
    from medner.store.redis.connection import require_redis

    require_redis("prometheus_client")
    from medner.service.worker.logs import log_to
    from medner.service.worker.process import run_worker
    from medner.service.worker.worker import WorkerSettings

    log_to()
    settings = WorkerSettings(concurrency, chunks, lease_s=lease, metrics_port=metrics_port, metrics_host=metrics_host)
    raise typer.Exit(run_worker(settings))
