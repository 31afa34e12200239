"""`medner serve`: jobs over HTTP, and a web page over them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HELP = """Answer HTTP: jobs are submitted, watched and read over an API (docs/http.md), and on a web page at /.

The jobs are those of medner submit and medner jobs; medner worker does them. Without API keys the server listens on \
this machine alone.

\b
Examples:
  medner serve
  medner serve --port 8090 --labels ward.toml

The log on standard error is a JSON object a line, without any text of a note, queries or keys.

Exit code: 0 stopped; 2 wrong option, or the port cannot be had; 3 Redis failed at the start.
"""


def register(app: typer.Typer) -> None:
    """Adds the subcommand."""
    serve = typer.Typer(help=HELP, invoke_without_command=True)
    serve.callback()(serve_)
    app.add_typer(serve, name="serve")


def serve_(
    context: typer.Context,
    *,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=0, max=65_535, help="The port; 0: any free one.")
    ] = 8080,
    labels: Annotated[
        list[Path] | None,
        typer.Option("--labels", metavar="FILE", help="A label set of your own that clients may name; repeatable."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The configuration jobs begin from, in TOML.")
    ] = None,
) -> None:
    if context.invoked_subcommand is not None:
        return
    require_http()
    import asyncio

    from medner.service.http.offer import Offer, own_label_sets
    from medner.service.http.server import ServerSettings, serve
    from medner.service.overrides import Overrides
    from medner.service.worker.logs import log_to

    log_to()
    offer = Offer(Overrides(config=config), own_label_sets(tuple(labels or ())))
    asyncio.run(serve(ServerSettings(host, port, offer)))


def require_http() -> None:
    """UserError with the way out where the web framework is not installed."""
    from medner.store.errors import UserError
    from medner.store.redis.connection import require_redis

    require_redis()
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UserError("starlette and uvicorn are missing: medner serve needs pip install 'medner[http]'") from error
