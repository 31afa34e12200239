"""One side of the comparison in a process of its own: reads commands from standard input, answers with JSON lines.

The parent process starts it with a JSON order and waits for a line: ``{"ready": facts}``, or ``{"refused": reason}``.
Then each line ``run N`` runs all sentences, N at a time, and answers with seconds and counts; ``memory`` answers with
the process's resident memory. It ends with its standard input.

Another checkout's Python runs this file too, so it imports only what medner has had for long; the sides that need more
lie in modules of their own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from engine_sides.side import Counts, RefusedError, Side

#: Where records, pipeline, engines and options are: in this layout, and in that of 0.1.0.
_MODULES = (
    "medner.core.records",
    "medner.service.build.pipeline",
    "medner.service.build.engines",
    "medner.service.config.options",
)
_MODULES_OF_0_1_0 = (
    "medner.store.records",
    "medner.service.assembly",
    "medner.service.engines",
    "medner.service.overrides",
)


class MednerSide:
    """The pipeline of ``medner annotate``: graph, filter and judge included, traces off.

    ``options`` are fields of ``Overrides``.
    """

    def __init__(self, options: Mapping[str, Any], texts: tuple[str, ...]) -> None:
        try:
            records, pipeline, engines, settings = map(import_module, _MODULES)
        except ImportError:
            records, pipeline, engines, settings = map(import_module, _MODULES_OF_0_1_0)
        unknown = sorted(set(options) - {field.name for field in fields(settings.Overrides)})
        if unknown:
            raise RefusedError(f"this version of medner has no option {', '.join(unknown)}")
        self._configuration = settings.configured(settings.Overrides(**options))
        self._build = pipeline.build_deps
        self._sentences = [records.Sentence(f"s{number}", text) for number, text in enumerate(texts)]
        self._loop = asyncio.new_event_loop()
        loaded: list[Any] = []

        def remembered(order: Any) -> Any:
            loaded.append(engines.local_engine(order))
            return loaded[-1]

        made = pipeline.assembled_parts(
            self._configuration, model=engines.model_folder(self._configuration), engine_factory=remembered
        )
        # Kept: when it is collected, it closes the engine.
        self._open = AsyncExitStack()
        self._made = self._loop.run_until_complete(self._open.enter_async_context(made))
        # The run's own base comes first, that of a judge or tagger with another one behind it.
        self._engine, self._engines = loaded[0], loaded
        model = self._engine.model
        self.facts = {
            "format": getattr(model, "format", None) or str(model.dtype).removeprefix("torch."),
            "taggers": [tagger.name for tagger in self._configuration.taggers],
            "package": str(Path(str(pipeline.__file__)).parent),
        }

    def run(self, at_a_time: int) -> Counts:
        """Annotates all sentences with fresh agents, which remember no scores of an earlier run.

        RefusedError when a sentence fails: its time would say nothing.
        """
        from medner.graph import Pipeline

        parts, exemplars = self._made.parts, self._made.deps.exemplars
        pipeline = Pipeline(self._build(self._configuration, self._engine, exemplars, parts=parts))
        before = self._passes()
        annotations = self._loop.run_until_complete(self._annotations(pipeline, at_a_time))
        failures = [failure for annotation in annotations for failure in annotation.failures]
        if failures:
            raise RefusedError(f"sentences failed, the first: {failures[0]}")
        return Counts(self._passes() - before, sum(len(annotation.entities) for annotation in annotations))

    def _passes(self) -> int:
        return sum(engine.passes for engine in self._engines)

    async def _annotations(self, pipeline: Any, at_a_time: int) -> list[Any]:
        gate = asyncio.Semaphore(at_a_time)

        async def annotate(sentence: Any) -> Any:
            async with gate:
                return await pipeline.annotate_sentence(sentence)

        return await asyncio.gather(*map(annotate, self._sentences))


def loaded_side(order: Mapping[str, Any]) -> Side:
    """The side of an order. RefusedError, or an error of medner, when it cannot run here."""
    texts = tuple(json.loads(Path(order["sentences"]).read_text(encoding="utf-8")))
    options = dict(order.get("options", {}))
    if order["kind"] == "medner":
        return MednerSide(options, texts)
    if order["kind"] == "transformers":
        from engine_sides.plain_transformers import PlainTransformersSide

        return PlainTransformersSide(options, order["format"], texts)
    from engine_sides.encoder import EncoderSide

    return EncoderSide(Path(order["model"]), order["format"], order["threads"], texts)


def memory_bytes() -> dict[str, int]:
    """Resident memory of this process, at this moment and at most; empty where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    sizes = {name: value.split()[0] for name, _, value in (line.partition(":") for line in lines) if value.split()}
    return {key: int(sizes[name]) << 10 for key, name in (("resident", "VmRSS"), ("peak", "VmHWM")) if name in sizes}


def timed(side: Side, at_a_time: int) -> dict[str, float]:
    """One run: seconds by the clock, seconds of the processor, and counts."""
    began, worked = time.perf_counter(), time.process_time()
    counts = side.run(at_a_time)
    return {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - worked,
        "passes": counts.passes,
        "entities": counts.entities,
    }


def serve(order: Mapping[str, Any], answers: TextIO) -> None:
    """Loads the side of an order and answers commands until standard input ends, or until it cannot go on."""

    def answer(value: Mapping[str, Any]) -> None:
        print(json.dumps(value), file=answers, flush=True)

    try:
        side = loaded_side(order)
        answer({"ready": dict(side.facts)})
        for line in sys.stdin:
            command, _, number = line.strip().partition(" ")
            answer(memory_bytes() if command == "memory" else timed(side, int(number)))
    except Exception as error:
        # What the user can mend is one line; everything else is a fault of the benchmark, and wants its traceback.
        if not isinstance(error, RefusedError) and not type(error).__module__.endswith(".errors"):
            raise
        answer({"refused": str(error)})


if __name__ == "__main__":
    # Answers go where standard output was; what libraries print goes to standard error.
    own_answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(json.loads(sys.argv[1]), own_answers)
