"""Texts annotated while the client waits."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from medner.core.errors import ExternalError
from medner.core.records import AnnotatedDocument, Document
from medner.service.client import jobs
from medner.service.client.calls import Answer, Call, Message, Pause, Steps, ask, path_of, read_json

#: As long as the server waits at most; then it answers with the job.
_LONGEST_WAIT_S = 60.0
#: What a request may take beside the annotating.
_BESIDE_S = 30.0
_EVERY_S = 0.25


class _JobOnly(Message):
    job: str


@dataclass(frozen=True, slots=True)
class Annotated:
    """Documents that were annotated together: their job, its label set where it is told, all that is known of them."""

    job: str
    labels: str | None
    documents: tuple[AnnotatedDocument, ...]


def annotate(documents: Sequence[Document], options: Mapping[str, object], wait_s: float) -> Steps[Annotated]:
    """The documents, annotated. ExternalError where it takes longer than ``wait_s``; the job then goes on."""
    end = time.monotonic() + wait_s
    waits_s = max(0.0, min(wait_s, _LONGEST_WAIT_S))
    body = {
        "documents": [{"id": one.id, "text": one.text} for one in documents],
        **options,
        "wait_s": waits_s,
    }
    call = Call("POST", path_of("annotate"), _job_and_end, body=body, timeout_s=waits_s + _BESIDE_S)
    job, has_ended = yield from ask(call)
    labels = options.get("labels")
    while not has_ended:
        view = yield from jobs.show(job)
        has_ended, labels = view.state in jobs.ENDED, view.labels
        if not has_ended and time.monotonic() >= end:
            raise ExternalError(
                f"job {job} has not ended within {wait_s:g} s and goes on; wait for it with jobs.wait({job!r}), or "
                "give it more time: wait_s"
            )
        if not has_ended:
            yield Pause(_EVERY_S)
    found = yield from jobs.whole_results(job)
    return Annotated(job, None if labels is None else str(labels), found)


def _job_and_end(answer: Answer) -> tuple[str, bool]:
    return read_json(_JobOnly)(answer).job, answer.status == HTTPStatus.OK
