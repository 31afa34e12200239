"""Documents of this machine, submitted to a medner server."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from medner.core.choices import PartFormat
from medner.core.records import Document
from medner.service.cli.remote.options import Remote
from medner.service.client import jobs as requests
from medner.service.inputs.annotation_inputs import Inputs, open_inputs, standard_input
from medner.store.jobs import JobSpec, Submitted

if TYPE_CHECKING:
    from rich.console import Console

    from medner.service.cli.remote.jobs import RemoteJobs
    from medner.service.jobs.submit import SubmitOrder

_SAY_EVERY_S = 2.0
_DAY_S = 86_400


def refuse_options(remote: Remote, order: SubmitOrder) -> None:
    """UserError for what only the server's own configuration may say: paths, addresses, how workers work."""
    overrides = order.overrides
    remote.refuse(
        config=overrides.config,
        model=overrides.model,
        exemplars=overrides.exemplars,
        dtype=overrides.dtype,
        max_chars=overrides.max_chars,
        join_lines=overrides.join_lines,
        server=overrides.servers,
        keep_columns=order.options.table.keep or None,
    )
    usual = {
        "results": None,
        "part_format": PartFormat.JSONL,
        **{name: JobSpec.model_fields[name].default for name in ("chunk_sentences", "attempts", "sentence_timeout_s")},
    }
    names = {
        "part_format": "parts",
        "chunk_sentences": "chunk",
        "sentence_timeout_s": "time_limit",
    }
    for name, value in usual.items():
        if order.settings.get(name) != value:
            remote.refuse(**{names.get(name, name): order.settings[name]})


async def submit(jobs: RemoteJobs, order: SubmitOrder, console: Console) -> tuple[Submitted, int]:
    """Sends the documents of the inputs; the job, and how many inputs and records could not be read."""
    overrides, settings = order.overrides, order.settings
    options = {
        "labels": overrides.labels,
        "taggers": overrides.taggers if overrides.taggers is None else ",".join(overrides.taggers),
        "judge": overrides.judge,
        "filter": overrides.filter,
        "preset": overrides.preset,
        "name": settings["name"] or None,
        "keep_days": settings["keep_s"] / _DAY_S,
        **{name: settings[name].value for name in ("priority", "trace", "judge_follow")},
    }
    on_remark = partial(console.print, markup=False)
    tables = order.options.text_key is not None
    with open_inputs(order.inputs, None, standard_input(), tables=tables, on_remark=on_remark) as sources:
        inputs = Inputs(sources, format=order.format, skip_bad=order.skip_bad, limit=order.limit, options=order.options)
        documents = _counted(inputs.documents(count_bad=True), console)
        found = await jobs.connection.run(requests.submit(documents, options, key=order.key))
        for line in inputs.guess_lines():
            console.print(line, markup=False)
        for record in list(inputs.bad)[:20]:
            console.print(f"skipped: {record}", markup=False)
        return Submitted(found.id, found.created), len(inputs.bad)


def _counted(documents: Iterable[Document], console: Console) -> Iterator[Document]:
    """The documents, said now and then how many were read."""
    last = time.monotonic()
    for number, document in enumerate(documents, 1):
        if time.monotonic() - last > _SAY_EVERY_S:
            last = time.monotonic()
            console.print(f"{number:,} documents", markup=False)
        yield document
