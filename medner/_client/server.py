"""A medner server: what the local front door does, done there."""

from __future__ import annotations

import os
import warnings
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from medner._client.annotating import annotated, async_batches, batches
from medner._client.jobs import AsyncServerJobs, ServerJobs
from medner._client.judges import AsyncServerJudges, ServerJudges
from medner._client.label_sets import LabelSets
from medner._client.review import AsyncServerReview, ServerReview
from medner._client.settings import ServerSettings, server_options
from medner._client.traces import AsyncServerTraces, ServerTraces
from medner._documents import Document
from medner._texts import Text, check_stream, single
from medner._twins import ClosedByBlock
from medner.service.client.address import ServerAddress, server_key, server_url
from medner.service.client.connection import AsyncConnection, Connection

if TYPE_CHECKING:
    from medner.core.labels import LabelSet

#: So many texts are sent together.
AHEAD = 64
#: A text is waited for so long; a server whose workers load their models first needs some of it.
WAIT_S = 300.0


def connect(
    url: str,
    key: str | None = None,
    *,
    key_env: str | None = None,
    ca: str | os.PathLike[str] | None = None,
    timeout_s: float = 60.0,
) -> Server:
    """A medner server (`medner serve`), by its URL: use it with ``with``, or close it.

    ``key``: an API key, where the server asks for one; ``key_env``: the environment variable that holds it. ``ca``: the
    certificate file of an authority that signed the server's, where the system does not know it. A request fails when
    nothing comes for ``timeout_s``. Nothing is sent before the first request.
    """
    return Server(_address(url, key, key_env, ca, timeout_s))


def connect_async(
    url: str,
    key: str | None = None,
    *,
    key_env: str | None = None,
    ca: str | os.PathLike[str] | None = None,
    timeout_s: float = 60.0,
) -> AsyncServer:
    """The asynchronous twin of :func:`medner.connect`: use it with ``async with``."""
    return AsyncServer(_address(url, key, key_env, ca, timeout_s))


class AsyncServer(ClosedByBlock):
    """A medner server, made by :func:`medner.connect_async`: its verbs are those of the local front door.

    It has ``jobs``, ``traces``, ``judges`` and the ``review`` queue. It belongs to the event loop that it is used on.
    Calls may overlap.
    """

    def __init__(self, address: ServerAddress) -> None:
        self._connection = AsyncConnection(address)
        self._labels = LabelSets()
        self.jobs = AsyncServerJobs(self._connection, self._labels)
        self.traces = AsyncServerTraces(self._connection, self._labels)
        self.judges = AsyncServerJudges(self._connection)
        self.review = AsyncServerReview(self._connection, self._labels)

    async def __aenter__(self) -> Self:
        return self

    async def close(self) -> None:
        """Ends the connections; ``async with`` does it."""
        await self._connection.close()

    async def annotate(
        self,
        text: Text,
        labels: str | None = None,
        *,
        id: str | None = None,  # noqa: A002
        wait_s: float = WAIT_S,
        **settings: Unpack[ServerSettings],
    ) -> Document:
        """The document of a text, which the server's workers annotate before all else.

        UserError for a text that is blank or no string. ExternalError where it takes longer than ``wait_s``; the job
        then goes on and is named. The settings are :class:`medner.ServerSettings`.
        """
        steps = annotated([single(text, id)], server_options(labels, settings), wait_s, self._labels)
        (document,) = await self._connection.run(steps)
        return document

    async def pipe(
        self,
        texts: Iterable[Text] | AsyncIterable[Text],
        labels: str | None = None,
        *,
        ahead: int = AHEAD,
        wait_s: float = WAIT_S,
        **settings: Unpack[ServerSettings],
    ) -> AsyncIterator[Document]:
        """A document a text, in order; ``ahead`` texts are sent together.

        Texts get the ids ``text-1``, ``text-2`` ...; documents keep theirs. A blank text gives a document without
        entities. For much work that may wait, use ``jobs``.
        """
        check_stream(texts, ahead)
        options = server_options(labels, settings)
        async with aclosing(async_batches(texts, ahead)) as sets:
            async for batch in sets:
                for document in await self._connection.run(annotated(batch, options, wait_s, self._labels)):
                    yield document

    async def label_sets(self) -> dict[str, LabelSet]:
        """The label sets that the server knows, by name."""
        return await self._connection.run(self._labels.all())


class Server:
    """A medner server, made by :func:`medner.connect`: its verbs are those of the local front door.

    It has ``jobs``, ``traces``, ``judges`` and the ``review`` queue. It may be used from several threads.
    """

    def __init__(self, address: ServerAddress) -> None:
        self._connection = Connection(address)
        self._labels = LabelSets()
        self.jobs = ServerJobs(self._connection, self._labels)
        self.traces = ServerTraces(self._connection, self._labels)
        self.judges = ServerJudges(self._connection)
        self.review = ServerReview(self._connection, self._labels)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections; ``with`` does it."""
        self._connection.close()

    def annotate(
        self,
        text: Text,
        labels: str | None = None,
        *,
        id: str | None = None,  # noqa: A002
        wait_s: float = WAIT_S,
        **settings: Unpack[ServerSettings],
    ) -> Document:
        """The document of a text: :meth:`AsyncServer.annotate`."""
        steps = annotated([single(text, id)], server_options(labels, settings), wait_s, self._labels)
        (document,) = self._connection.run(steps)
        return document

    def pipe(
        self,
        texts: Iterable[Text],
        labels: str | None = None,
        *,
        ahead: int = AHEAD,
        wait_s: float = WAIT_S,
        **settings: Unpack[ServerSettings],
    ) -> Iterator[Document]:
        """A document a text, in order; ``ahead`` texts are sent together: :meth:`AsyncServer.pipe`."""
        check_stream(texts, ahead)
        options = server_options(labels, settings)
        return (
            document
            for batch in batches(texts, ahead)
            for document in self._connection.run(annotated(batch, options, wait_s, self._labels))
        )

    def label_sets(self) -> dict[str, LabelSet]:
        """The label sets that the server knows, by name."""
        return self._connection.run(self._labels.all())


def _address(
    url: str, key: str | None, key_env: str | None, ca: str | os.PathLike[str] | None, timeout_s: float
) -> ServerAddress:
    address = ServerAddress(server_url(url), server_key(key, key_env), None if ca is None else os.fspath(ca), timeout_s)
    if address.is_readable_on_the_way:
        warnings.warn(
            f"{address.url}: texts and key travel unencrypted and can be read on the way; use https", stacklevel=3
        )
    return address
