"""From what a user names to a place for traces."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from medner.core.environment import TRACES, variable
from medner.core.errors import ExternalError, UserError
from medner.core.files.data_folder import data_folder
from medner.store.traces.backend import TraceBackend
from medner.store.traces.serializer import RecordSerializer

#: The number of an advisory lock of PostgreSQL, any that no other program is likely to take.
_SETUP_LOCK = 7_305_449_102_263


def default_place() -> str:
    """``$MEDNER_TRACES``, else ``traces.sqlite`` in ``$MEDNER_HOME`` or the user's data folder."""
    return variable(TRACES) or str(data_folder() / "traces.sqlite")


def open_traces(place: str | Path | None = None, *, must_exist: bool = False) -> TraceBackend:
    """The traces of a file, or of a server by its URL (postgresql://, redis://); None: :func:`default_place`.

    UserError when there is none and ``must_exist``, when a package is missing, or when the file is something else.
    """
    named = str(place or default_place())
    scheme = named.partition("://")[0] if "://" in named else ""
    if scheme in ("postgres", "postgresql"):
        return _postgres(named)
    if scheme in ("redis", "rediss"):
        return _redis(named)
    if scheme:
        raise UserError(f"{scheme}://: traces are kept in a file, postgresql:// or redis://")
    from medner.store.traces.sqlite import SqliteTraces  # noqa: PLC0415  what others do not need

    path = Path(named).expanduser()
    if must_exist and not path.is_file():
        raise UserError(f"{path}: no traces are there; medner annotate --trace conflicts writes them")
    return SqliteTraces(path)


def _postgres(url: str) -> TraceBackend:
    try:
        from langgraph.checkpoint.postgres import PostgresSaver  # noqa: PLC0415  optional
        from psycopg import Connection, Error  # noqa: PLC0415
        from psycopg.rows import dict_row  # noqa: PLC0415
    except ImportError as error:
        raise UserError(f"{error.name} is missing: traces in PostgreSQL need pip install 'medner[postgres]'") from error
    from medner.store.traces.langgraph_saver import SaverTraces  # noqa: PLC0415

    try:
        connection = Connection.connect(url, autocommit=True, prepare_threshold=0, row_factory=dict_row)
        saver = PostgresSaver(connection, serde=RecordSerializer(packed=False))
        with _alone(connection):
            saver.setup()
    except Error as error:
        raise ExternalError(f"{without_password(url)}: {error}") from error
    return SaverTraces(saver, without_password(url), connection.close)


@contextmanager
def _alone(connection: Any) -> Iterator[None]:
    """Nobody else makes tables meanwhile: the saver's own statements fail when several workers start on a new server.

    Asked for again and again instead of waited for: a statement that waits would hold up the building of an index.
    """
    while not connection.execute("select pg_try_advisory_lock(%s) as got", (_SETUP_LOCK,)).fetchone()["got"]:
        time.sleep(0.05)
    try:
        yield
    finally:
        connection.execute("select pg_advisory_unlock(%s)", (_SETUP_LOCK,))


def _redis(url: str) -> TraceBackend:
    try:
        from langgraph.checkpoint.redis import RedisSaver  # noqa: PLC0415  optional
    except ImportError as error:
        raise UserError(f"{error.name} is missing: traces in Redis need pip install 'medner[redis-traces]'") from error
    from medner.store.traces.langgraph_saver import SaverTraces  # noqa: PLC0415

    saver = RedisSaver(redis_url=url)
    try:
        saver.setup()
    except Exception as error:  # the client raises what it likes
        raise ExternalError(
            f"{without_password(url)}: {error}; traces need Redis 8 or newer, whose query engine finds them"
        ) from error
    return SaverTraces(saver, without_password(url))


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
