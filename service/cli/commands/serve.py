"""`medner serve`: jobs over HTTP, and a web page over them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medner.service.cli.bounds import MOST, finite, not_empty
from medner.service.cli.commands import serve_audit

HELP = """Serve HTTP: submit, watch and read jobs over an API (docs/http.md) and on a web page at /.

The jobs are those of medner submit and medner jobs; start medner worker to process them. Without API keys the server \
listens only on this machine.

\b
Examples:
  medner serve
  medner serve --port 8090 --labels ward.toml
  medner serve keys add ward-7 && medner serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem

The log on standard error is JSON lines, without any text of a note, queries or keys.

Exit code: 0 stopped; 2 wrong option, or the port is taken; 3 Redis failed at the start.
"""


KeyName = Annotated[str, typer.Argument(metavar="NAME", help="The key's name.")]
KEYS_HELP = """Make, list and remove the API keys of medner serve.

After the first key, every request needs one (Authorization: Bearer KEY), on this machine too; a running server \
notices changes. Only salted hashes are stored, in the file that MEDNER_API_KEYS names, else in api-keys.json of the \
data folder.

\b
Examples:
  medner serve keys add ward-7
  medner serve keys add dr-li --scopes review
  medner serve keys list
  medner serve keys remove ward-7
"""


def register(app: typer.Typer) -> None:
    """Adds the subcommand."""
    serve = typer.Typer(help=HELP, invoke_without_command=True)
    serve.callback()(serve_)
    keys = typer.Typer(help=KEYS_HELP, no_args_is_help=True)
    for command in (add, list_, remove):
        keys.command(command.__name__.rstrip("_"))(command)
    serve.add_typer(keys, name="keys")
    serve_audit.register(serve)
    app.add_typer(serve, name="serve")


def serve_(  # noqa: PLR0913  the options of a command are its parameters
    context: typer.Context,
    *,
    host: Annotated[
        str, typer.Option("--host", metavar="HOST", callback=not_empty, help="The address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", metavar="PORT", min=0, max=65_535, help="The port to listen on; 0 takes any free one."),
    ] = 8080,
    labels: Annotated[
        list[Path] | None,
        typer.Option("--labels", metavar="FILE", help="A label set of your own that clients may name; repeatable."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The configuration in TOML from which jobs start.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host", metavar="NAME", help="Another name of this server, for example behind a proxy; repeatable."
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="TLS certificate chain in PEM.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="Private key of the certificate in PEM.")
    ] = None,
    max_body: Annotated[
        float,
        typer.Option(
            "--max-body",
            metavar="MIB",
            min=0.001,
            max=4_096,
            callback=finite,
            help="The largest JSON body of a request.",
        ),
    ] = 8,
    max_text: Annotated[
        int,
        typer.Option("--max-text", metavar="N", min=1, max=MOST, help="The longest text of a document, in characters."),
    ] = 200_000,
) -> None:
    if context.invoked_subcommand is not None:
        return
    require_http()
    import asyncio

    from medner.service.config.options import Overrides
    from medner.service.http.access.limits import Limits
    from medner.service.http.allowed_options import offer_of
    from medner.service.http.server import ServerSettings, serve
    from medner.service.worker.logs import log_to

    log_to()
    offer = offer_of(Overrides(config=config), tuple(labels or ()))
    limits = Limits(body_bytes=int(max_body * (1 << 20)), text_chars=max_text)
    settings = ServerSettings(host, port, tuple(allow_host or ()), offer, limits, _certificate(tls_cert, tls_key))
    asyncio.run(serve(settings))


def add(
    name: KeyName,
    *,
    scopes: Annotated[
        str,
        typer.Option(
            "--scopes",
            metavar="SCOPES",
            help="What the key allows, with commas: read (jobs, results, traces), submit (jobs too), review (decide "
            "conflicts too), admin (everything).",
        ),
    ] = "admin",
) -> None:
    """Make an API key and print it, this once. Without --scopes its holder may use everything that the server offers.

    Example: medner serve keys add ward-7 --scopes submit,review

    Exit code: 0 done; 2 wrong name or scope, or there is such a key; 3 the key file cannot be written.
    """
    from medner.service.http.access.keys import key_file
    from medner.service.http.scopes import scopes_in

    file = key_file()
    typer.echo(file.add(name, scopes_in(scopes)))
    typer.echo(f"keep it: it is shown this once, and {file.path} has only its hash", err=True)


def list_() -> None:
    """List the names of the keys, when each was made, and what it allows.

    Example: medner serve keys list

    Exit code: 0 done; 3 the key file cannot be read.
    """
    from medner.service.http.access.keys import key_file

    file = key_file()
    for one in file.stored():
        typer.echo(f"{one.name:<20} {one.added:%Y-%m-%d %H:%M} UTC  {', '.join(one.scopes)}")
    if not file.path.exists():
        typer.echo("there are no keys: medner serve asks for none, and listens on this machine alone", err=True)


def remove(name: KeyName) -> None:
    """Remove a key. Sessions of the web page that began with it end too.

    Example: medner serve keys remove ward-7

    Exit code: 0 done; 2 there is no such key; 3 the key file cannot be written.
    """
    from medner.service.http.access.keys import key_file

    file = key_file()
    left = file.remove(name)
    typer.echo(f"removed: {name}")
    if left == 0:
        typer.echo(f"no key is left, so no client gets in; to serve without keys, delete {file.path}", err=True)


def _certificate(certificate: Path | None, key: Path | None) -> tuple[Path, Path] | None:
    """Both files, or none. UserError for one alone, or one that is not there."""
    from medner.core.errors import UserError

    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UserError("--tls-cert and --tls-key belong together; give both")
    for path in (certificate, key):
        if not path.is_file():
            raise UserError(f"{path}: no such file; --tls-cert and --tls-key are files in PEM")
    return certificate, key


def require_http() -> None:
    """UserError with the way out where the web framework is not installed."""
    from medner.core.errors import UserError
    from medner.store.redis.connection import require_redis

    require_redis()
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UserError("starlette and uvicorn are missing: medner serve needs pip install 'medner[http]'") from error
