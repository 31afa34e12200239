"""The functions that load models, and the one that keeps them."""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING, Unpack, get_args

from medner._annotator import Annotator, AsyncAnnotator, Place, Trace
from medner._documents import Document
from medner._settings import Settings, overrides_of
from medner._texts import single
from medner.core.errors import UserError

if TYPE_CHECKING:
    from medner.agents.engines.engine import Engine
    from medner.service.config.options import Overrides


def load(
    labels: Place | None = None,
    *,
    engine: Engine | None = None,
    trace: Trace = "none",
    traces: Place | None = None,
    **settings: Unpack[Settings],
) -> Annotator:
    """Loads models that annotate by a label set (``cmeee-v2``, ``ccks2019``, a .toml file) and keeps them.

    The settings are those of `medner annotate`, under the same names: :class:`medner.Settings`. UserError where one
    is wrong or a model is missing. ``engine`` runs the models elsewhere; ``medner.testing`` has one for tests.
    ``trace`` says which sentences leave a trace (``"all"``, ``"conflicts"``, ``"none"``), ``traces`` where: a file or
    a URL, None for the place that :class:`medner.Traces` opens.
    """
    return Annotator(overrides_of(labels, settings), engine, _checked(trace), traces)


def load_async(
    labels: Place | None = None,
    *,
    engine: Engine | None = None,
    trace: Trace = "none",
    traces: Place | None = None,
    **settings: Unpack[Settings],
) -> AsyncAnnotator:
    """The asynchronous twin of :func:`medner.load`: the models are loaded by ``async with``."""
    return AsyncAnnotator(overrides_of(labels, settings), engine, _checked(trace), traces)


def annotate(
    text: str,
    labels: Place | None = None,
    *,
    engine: Engine | None = None,
    **settings: Unpack[Settings],
) -> Document:
    """The document of a text. The models are loaded at the first call and kept for the next ones.

    Settings are those of :func:`medner.load`; each combination of them keeps its own models in memory until the
    process ends. To free them, use :func:`medner.load` in a ``with`` block.
    """
    single(text, None)  # a wrong text loads no model
    return _KEPT.annotator(overrides_of(labels, settings), engine).annotate(text)


class _KeptAnnotators:
    """The annotators of :func:`annotate`, by process and settings. They end with the process."""

    def __init__(self) -> None:
        self._by_settings: dict[tuple[int, str, int], Annotator] = {}
        self._loading = Lock()

    def annotator(self, overrides: Overrides, engine: Engine | None) -> Annotator:
        """The annotator of these settings, loaded where this process has none."""
        key = (os.getpid(), repr(overrides), id(engine))
        with self._loading:  # two threads must not load the same models twice
            kept = self._by_settings.get(key)
            if kept is None:
                kept = self._by_settings[key] = Annotator(overrides, engine)
        return kept


_KEPT = _KeptAnnotators()


def _checked(trace: Trace) -> Trace:
    if trace not in get_args(Trace):
        raise UserError(f"trace: must be one of {', '.join(get_args(Trace))}, got {trace!r}")
    return trace
