"""A job's specification from a configuration, and its documents handed to the queue."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from medner.core.choices import JudgeFollow
from medner.core.errors import BadInputError
from medner.core.validation import complaint
from medner.service.config.configuration import Configuration
from medner.service.config.fingerprint import fingerprint
from medner.service.config.frozen import freeze
from medner.service.config.options import Overrides, configured
from medner.service.config.registered_judges import with_registered_judge
from medner.service.inputs.annotation_inputs import Inputs, open_inputs, standard_input
from medner.store.corpora import NO_OPTIONS, ReadOptions
from medner.store.jobs import Jobs, JobSpec, SubmitCallbacks, Submitted
from medner.store.jobs.result_folder import absolute

_SAY_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class SubmitOrder:
    """What is to be submitted, and how; ``settings`` are fields of the job's specification."""

    inputs: tuple[str, ...]
    format: str | None = None
    skip_bad: bool = False
    limit: int | None = None
    options: ReadOptions = NO_OPTIONS
    key: str | None = None
    overrides: Overrides = field(default_factory=Overrides)
    settings: dict[str, Any] = field(default_factory=dict)


class _SubmitProgress:
    """Says now and then how a submit goes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = time.monotonic()

    def calls(self) -> SubmitCallbacks:
        """What the submit calls."""
        return SubmitCallbacks(
            opened=lambda job: self._console.print(f"job {job}", markup=False),
            read=lambda documents, sentences: self._now_and_then(f"{documents:,} documents, {sentences:,} sentences"),
            waiting=lambda reason: self._now_and_then(f"waiting: {reason} (Ctrl-C gives up)"),
        )

    def _now_and_then(self, line: str) -> None:
        if time.monotonic() - self._last > _SAY_EVERY_S:
            self._last = time.monotonic()
            self._console.print(line, markup=False)


async def submit(jobs: Jobs, order: SubmitOrder, console: Console) -> tuple[Submitted, int]:
    """Submits the documents of the inputs; the job, and how many inputs and records could not be read."""
    overrides = await with_registered_judge(order.overrides, jobs.judges, follow=_follows(order))
    results = order.settings.get("results")
    settings = {**order.settings, "results": absolute(results) if results else None}
    spec = spec_of(configured(overrides), **settings)
    said = _SubmitProgress(console)
    on_remark = partial(console.print, markup=False)
    tables = order.options.text_key is not None
    with open_inputs(order.inputs, None, standard_input(), tables=tables, on_remark=on_remark) as sources:
        inputs = Inputs(sources, format=order.format, skip_bad=order.skip_bad, limit=order.limit, options=order.options)
        submitted = await jobs.submit(spec, inputs.documents(count_bad=True), key=order.key, progress=said.calls())
        for line in inputs.guess_lines():
            console.print(line, markup=False)
        for record in list(inputs.bad)[:20]:
            console.print(f"skipped: {record}", markup=False)
        return submitted, len(inputs.bad)


def _follows(order: SubmitOrder) -> bool:
    return order.settings.get("judge_follow") == JudgeFollow.LATEST


def spec_of(configuration: Configuration, **settings: Any) -> JobSpec:
    """The specification of a job with a configuration; ``settings`` are its other fields.

    BadInputError for a value that no job can have.
    """
    try:
        return JobSpec(
            configuration=freeze(configuration),
            fingerprint=fingerprint(configuration),
            medner=version("medner"),
            max_chars=configuration.max_chars,
            join_lines=configuration.join_lines,
            **settings,
        )
    except ValidationError as error:
        reason, key = complaint(error, JobSpec)
        raise BadInputError(reason, path="job", key=key) from error
