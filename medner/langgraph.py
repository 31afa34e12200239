"""The sentence graph for LangGraph's own tools, its state plain JSON (docs/langgraph.md).

::

    from medner.langgraph import sentence_graph

    graph = sentence_graph("cmeee-v2", preset="fast")
    print((await graph.ainvoke({"text": "患者咳嗽三天。"}))["entities"])

`langgraph dev` and LangGraph Studio open :func:`sentence`, which `langgraph.json` names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Unpack

from langchain_core.runnables import RunnableConfig
from langsmith import tracing_context
from typing_extensions import TypedDict  # typing's gives no JSON schema on Python 3.11

from medner._annotator import Annotator, Place
from medner._load import load
from medner._settings import Settings, configuration_of, overrides_of
from medner.graph.json_state import JsonInput, JsonResult, JsonState, json_builder

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    from medner.agents.engines.engine import Engine
    from medner.graph import Deps

__all__ = ["SentenceSettings", "sentence", "sentence_graph"]


class SentenceSettings(TypedDict, total=False):
    """What an assistant of `langgraph dev` may choose. Left out: ``cmeee-v2``, and its default."""

    labels: Literal["cmeee-v2", "ccks2019"]
    preset: Literal["default", "balanced", "fast"]


def sentence_graph(
    labels: Place | None = None, *, engine: Engine | None = None, **settings: Unpack[Settings]
) -> CompiledStateGraph[JsonState, Any, JsonInput, JsonResult]:
    """The compiled graph of one sentence, by the settings of :func:`medner.load`.

    Its input is ``{"text": ...}``, its result ``entities`` and ``annotation``; between them its state is JSON at every
    step, under the names of docs/langgraph.md. The models are loaded at the first run, and kept. UserError for a wrong
    setting, and at a run for a text that is blank or too long for one sentence.
    """
    configuration = configuration_of(overrides_of(labels, settings))
    models = _LoadedOnce(lambda: load(labels, engine=engine, **settings))
    builder = json_builder(
        [tagger.name for tagger in configuration.taggers],
        models.run,
        max_chars=configuration.max_chars,
        context=SentenceSettings,
    )
    return builder.compile()


def sentence(config: RunnableConfig) -> CompiledStateGraph[JsonState, Any, JsonInput, JsonResult]:
    """The graph for `langgraph dev`: that of the assistant's :class:`SentenceSettings`, made once and kept."""
    chosen = config.get("configurable", {})
    return _kept(chosen.get("labels"), chosen.get("preset"))


@lru_cache(maxsize=8)
def _kept(labels: str | None, preset: str | None) -> CompiledStateGraph[JsonState, Any, JsonInput, JsonResult]:
    return sentence_graph(labels) if preset is None else sentence_graph(labels, preset=preset)


class _LoadedOnce:
    """Models that the first run loads, on a loop of their own: servers run each graph on whichever loop they like."""

    def __init__(self, opened: Callable[[], Annotator]) -> None:
        self._opened = opened
        self._annotator: Annotator | None = None
        self._turn = Lock()

    async def run(self, work: Callable[[Deps], Coroutine[Any, Any, Any]]) -> Any:
        annotator = await asyncio.to_thread(self._ready)
        return await asyncio.wrap_future(annotator._loop.submit(self._untraced(annotator, work)))

    async def _untraced(self, annotator: Annotator, work: Callable[[Deps], Coroutine[Any, Any, Any]]) -> Any:
        # As everywhere: what judges ask goes to no LangSmith, whatever the environment says.
        with tracing_context(enabled=False):
            return await work(annotator._async._loaded.deps)

    def _ready(self) -> Annotator:
        with self._turn:  # all taggers begin at once
            if self._annotator is None:
                self._annotator = self._opened()
            return self._annotator
