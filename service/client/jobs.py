"""Requests about jobs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from medner.core.errors import ExternalError, RefusedError, UserError
from medner.core.records import AnnotatedDocument, Document
from medner.service.client.calls import (
    Answer,
    Call,
    Item,
    Items,
    LineCall,
    Pause,
    Steps,
    ask,
    path_of,
    read_data,
    read_json,
    read_nothing,
)
from medner.service.client.lines import read_annotated
from medner.service.client.messages import (
    DeadLettersMessage,
    DeadMessage,
    JobMessage,
    JobsMessage,
    LabelSetsMessage,
    ReplayMessage,
    SubmittedMessage,
    WorkerMessage,
)

ENDED = frozenset({"completed", "completed_with_errors", "failed", "cancelled"})
LAST = "last"
#: So many jobs come with one answer.
_PAGE = 500
_LONGEST_NAME = 100
#: An error message names so many of the jobs that a name may mean.
_NAMED = 4
#: Pieces of a body of documents have at least so many bytes, but for the last.
_PIECE_BYTES = 1 << 16
#: The server splits and queues the documents of a submit before it answers.
_SUBMIT_S = 600.0


def submit(
    documents: Iterable[Document], options: Mapping[str, object], *, key: str | None = None
) -> Steps[SubmittedMessage]:
    """Submits documents, which are read one by one and sent as they are read."""
    pieces = _pieces(documents)
    first = next(pieces, None)
    if first is None:
        raise UserError("nothing to annotate: no document was given")
    headers = {} if key is None else {"Idempotency-Key": key}
    return (
        yield from ask(
            Call(
                "POST",
                path_of("jobs"),
                read_json(SubmittedMessage),
                options,
                upload=_again(first, pieces),
                headers=headers,
                timeout_s=_SUBMIT_S,
            )
        )
    )


def show(job: str) -> Steps[JobMessage]:
    """A job as it is now."""
    return (yield from ask(Call("GET", path_of("jobs", job), read_json(JobMessage))))


def newest(limit: int | None, **query: object) -> Steps[list[JobMessage]]:
    """The newest jobs, the newest first; all without a limit."""
    found: list[JobMessage] = []
    cursor: str | None = None
    while limit is None or len(found) < limit:
        most = _PAGE if limit is None else min(_PAGE, limit - len(found))
        page = yield from ask(_list(limit=most, cursor=cursor, **query))
        found += page.jobs
        cursor = page.next
        if cursor is None or not page.jobs:
            break
    return found


def workers() -> Steps[tuple[WorkerMessage, ...]]:
    """The workers that run."""
    return (yield from ask(_list(limit=1))).workers


def find(name: str) -> Steps[str]:
    """The id of a job from its id, a beginning of it that only one has, its name, or ``last``. UserError else."""
    if name == LAST:
        page = yield from ask(_list(limit=1))
        if page.jobs:
            return page.jobs[0].id
        raise UserError("there is no job yet")
    try:
        return (yield from show(name)).id
    except RefusedError as error:
        if error.status != 404:
            raise
        problem = error
    named = (yield from newest(None, name=name)) if len(name) <= _LONGEST_NAME else []
    found = [one.id for one in named if one.name == name]
    if not found:
        found = [one.id for one in (yield from newest(None)) if one.id.startswith(name)]
    if len(found) > 1:
        raise UserError(f"{len(found)} jobs are meant by {name!r}: {', '.join(found[:_NAMED])}; give the whole id")
    if not found:
        raise problem
    return found[0]


def watch(job: str, every_s: float) -> Items[JobMessage]:
    """The job now and then, until it has ended; the last one is the end. An outage of the server is waited out."""
    failures = 0
    while True:
        try:
            view = yield from show(job)
        except ExternalError:
            failures += 1
            if failures > _OUTAGES:
                raise
            yield Pause(_OUTAGE_S)
            continue
        failures = 0
        yield Item(view)
        if view.state in ENDED:
            return
        yield Pause(every_s)


def results(job: str) -> LineCall[AnnotatedDocument]:
    """The documents with all that is known of them, in order."""
    return LineCall(path_of("jobs", job, "results"), read_annotated, "the results", {"format": "full"})


def whole_results(job: str) -> Steps[tuple[AnnotatedDocument, ...]]:
    """The same of a small job, at once."""

    def read(answer: Answer) -> tuple[AnnotatedDocument, ...]:
        return tuple(read_annotated(line) for line in answer.content.split(b"\n") if line)

    return (yield from ask(Call("GET", path_of("jobs", job, "results"), read, {"format": "full"})))


def exported(job: str, form: str) -> LineCall[str]:
    """The lines of the results in a format of `medner convert`."""
    return LineCall(path_of("jobs", job, "results"), partial(str, encoding="utf-8"), "the results", {"format": form})


def cancel(job: str) -> Steps[JobMessage]:
    """Ends a job."""
    return (yield from ask(Call("POST", path_of("jobs", job, "cancel"), read_json(JobMessage))))


def replay(job: str) -> Steps[int]:
    """Does again what failed and what was never done; how many sentences."""
    return (yield from ask(Call("POST", path_of("jobs", job, "replay"), read_json(ReplayMessage)))).sentences


def dead(job: str) -> Steps[tuple[DeadMessage, ...]]:
    """The sentences that were given up."""
    return (yield from ask(Call("GET", path_of("jobs", job, "dead"), read_json(DeadLettersMessage)))).dead


def agreement(job: str, most: int) -> Steps[dict[str, Any]]:
    """How far the taggers agree in a job's results, as plain data; so many of the disputed texts."""
    call = Call("GET", path_of("jobs", job, "agreement"), read_data, {"show": most}, timeout_s=_WHOLE_JOB_S)
    return (yield from ask(call))


def delete(job: str) -> Steps[None]:
    """Forgets an ended job."""
    return (yield from ask(Call("DELETE", path_of("jobs", job), read_nothing)))


def label_sets() -> Steps[LabelSetsMessage]:
    """The label sets that the server knows."""
    return (yield from ask(Call("GET", path_of("labels"), read_json(LabelSetsMessage))))


#: All results are read for the answer.
_WHOLE_JOB_S = 600.0
#: While a job is watched, so many requests in a row may fail, each after so long.
_OUTAGES = 30
_OUTAGE_S = 2.0


def _list(**query: object) -> Call[JobsMessage]:
    return Call("GET", path_of("jobs"), read_json(JobsMessage), query)


def _pieces(documents: Iterable[Document]) -> Iterator[bytes]:
    held = b""
    for document in documents:
        held += json.dumps({"id": document.id, "text": document.text}, ensure_ascii=False).encode() + b"\n"
        if len(held) >= _PIECE_BYTES:
            yield held
            held = b""
    if held:
        yield held


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
