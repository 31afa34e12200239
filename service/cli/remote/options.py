"""The options that send a command to a medner server, as one keyword of the commands that have them."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from medner.core.errors import UserError

if TYPE_CHECKING:
    from medner.service.client.address import ServerAddress
    from medner.service.client.connection import AsyncConnection

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Remote:
    """The server that a command is to ask, and the variable that holds its key; ``url`` None: none.

    ``options`` are the names of the two options, for messages.
    """

    url: str | None = None
    key_env: str | None = None
    options: tuple[str, str] = ("--server", "--key-env")

    def __bool__(self) -> bool:
        return self.url is not None

    def address(self) -> ServerAddress:
        """The server's address with the key. UserError where it, or the key, can be none."""
        from medner.service.client.address import ServerAddress, server_key, server_url

        found = ServerAddress(
            server_url(self.url or ""),
            server_key(None, self.key_env),
            key_hint=f"name the environment variable that holds it: {self.options[1]} NAME",
        )
        if found.is_readable_on_the_way:
            typer.echo(f"note: {found.url}: texts and key can be read on the way; use https", err=True)
        return found

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[AsyncConnection]:
        """A connection to the server."""
        from medner.service.client.connection import AsyncConnection

        connection = AsyncConnection(self.address())
        try:
            yield connection
        finally:
            await connection.close()

    def refuse(self, **options: object) -> None:
        """UserError where a server is named, for an option that is given and means nothing to it."""
        if not self:
            return
        for name, value in options.items():
            if value not in (None, False, (), []):
                option = "--" + name.rstrip("_").replace("_", "-")
                raise UserError(f"{option}: is not for a medner server; leave it or {self.options[0]} out")

    def refuse_any(self, reason: str) -> None:
        """UserError where a server is named, for the reason."""
        if self:
            raise UserError(f"{reason}; leave {self.options[0]} out")


def with_server(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """The command with the two options in the place of its keyword ``remote`` (:class:`Remote`)."""
    return with_server_as()(command)


def with_server_as(
    url: str = "--server", key_env: str = "--key-env"
) -> Callable[[Callable[..., _Result]], Callable[..., _Result]]:
    """The same under other names, for a command that has other options of the usual ones."""
    return lambda command: _with_options(command, url, key_env)


def _with_options(command: Callable[..., _Result], url: str, key_env: str) -> Callable[..., _Result]:
    own = inspect.signature(command, eval_str=True)
    names = {"remote_url": _address(url), "remote_key_env": _variable(key_env, url)}
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        if parameter.name != "remote":
            parameters.append(parameter)
            continue
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for name, annotation in names.items()
        ]

    @wraps(command)
    def run(*arguments: Any, **values: Any) -> _Result:
        asked = Remote(values.pop("remote_url"), values.pop("remote_key_env"), (url, key_env))
        if asked.key_env is not None and not asked:
            raise UserError(f"{key_env}: is the key of a server; name the server too: {url} URL")
        return command(*arguments, **values, remote=asked)

    # typer reads both: the signature for the parameters, the annotations for their types.
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _address(option: str) -> Any:
    return Annotated[
        str | None,
        typer.Option(option, metavar="URL", help="Ask this medner server (medner serve) instead of this machine."),
    ]


def _variable(option: str, url: str) -> Any:
    return Annotated[
        str | None,
        typer.Option(option, metavar="NAME", help=f"The environment variable that holds the API key for {url}."),
    ]
