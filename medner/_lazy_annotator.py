"""Models that are loaded at the first text, once a process: for objects that other programs copy and send about."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from medner._annotator import AHEAD
from medner._client.server import Server, connect
from medner._client.settings import server_options
from medner._documents import Document
from medner._load import load
from medner._settings import configuration_of, overrides_of
from medner._texts import Text
from medner.core.errors import UserError


class Annotates(Protocol):
    """What annotates a stream of texts: :class:`medner.Annotator`."""

    def pipe(self, texts: Iterable[Text], *, ahead: int = ...) -> Iterator[Document]:
        """A document a text, in order."""


class Opened(Annotates, Protocol):
    """The same, to be closed."""

    def close(self) -> None:
        """Frees what it holds."""


class LazyAnnotator:
    """Annotates by settings of :func:`medner.load`, or on a server by those that a client may choose.

    ``settings`` are plain data: ``labels``, and either ``server`` with ``key_env`` (the environment variable that holds
    its key) or what :func:`medner.load` takes. UserError, before any model is loaded, where one is wrong. A pickled
    copy has the settings alone.
    """

    settings: dict[str, Any]
    _open: Callable[[], Opened]
    _opened: Opened | None
    _given: Annotates | None

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._set({key: value for key, value in settings.items() if value is not None})

    def use(self, annotator: Annotates) -> None:
        """Annotates with models that are loaded already, which the caller closes."""
        self._given, self._is_given, self._process = annotator, True, os.getpid()

    def pipe(self, texts: Iterable[Text], *, ahead: int = AHEAD) -> Iterator[Document]:
        """A document a text, in order. The models are loaded here, where this process has none."""
        return self._ready().pipe(texts, ahead=ahead)

    def close(self) -> None:
        """Frees the models that were loaded here; the next text loads them again."""
        opened, self._opened = self._opened, None
        self._given, self._is_given = None, False
        if opened is not None and self._process == os.getpid():
            opened.close()

    def _set(self, settings: dict[str, Any], *, is_given: bool = False) -> None:
        self.settings = settings
        self._open = _opener(settings)
        self._opened = None
        self._given = None
        self._is_given = is_given
        self._process = 0

    def _ready(self) -> Annotates:
        is_here = self._process == os.getpid()
        if self._given is not None and is_here:
            return self._given
        if self._is_given:
            raise UserError(
                "the models that use() was given belong to another process; work in one process, or leave use() out, "
                "and each process loads its own"
            )
        if self._opened is None or not is_here:
            self._opened, self._process = self._open(), os.getpid()
        return self._opened

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings, "is_given": self._is_given}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set(state["settings"], is_given=state["is_given"])


class _OnServer:
    """A medner server as what annotates."""

    def __init__(self, server: Server, labels: str | None, settings: Mapping[str, Any]) -> None:
        self._server = server
        self._labels = labels
        self._settings = settings

    def pipe(self, texts: Iterable[Text], *, ahead: int = AHEAD) -> Iterator[Document]:
        return self._server.pipe(texts, self._labels, ahead=ahead, **self._settings)

    def close(self) -> None:
        self._server.close()


def _opener(given: Mapping[str, Any]) -> Callable[[], Opened]:
    """Checks the settings, and gives what loads the models or reaches the server."""
    settings = dict(given)
    labels = settings.pop("labels", None)
    url, key_env = settings.pop("server", None), settings.pop("key_env", None)
    if url is not None:
        server_options(labels, settings)
        return lambda: _OnServer(connect(url, key_env=key_env), labels, settings)
    if key_env is not None:
        raise UserError("key_env: names the variable with a server's key; say server, too")
    _ = configuration_of(overrides_of(labels, settings)).label_set  # reads it
    return lambda: load(labels, **settings)
