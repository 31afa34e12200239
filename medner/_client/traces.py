"""The traces of a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medner._client.label_sets import LabelSets
from medner._documents import Document, RunFacts, from_annotated
from medner._traces import SentenceTrace, TraceDifference, TraceRun
from medner.core.errors import UserError
from medner.service.client import traces as requests
from medner.service.client.calls import Steps
from medner.service.client.connection import AsyncConnection, Connection
from medner.service.client.trace_messages import RunMessage
from medner.service.client.trace_records import annotation_of
from medner.service.traces.exporting import sentence_documents

_Runs = list[TraceRun]
_Sentences = list[SentenceTrace]
_Documents = list[Document]


class AsyncServerTraces:
    """The traces of a server: ``server.traces``. A job's run has the job's id as its name.

    A run is named by its name, the beginning of it, or ``"last"``; a trace by RUN/SENTENCE or RUN/1.
    """

    def __init__(self, connection: AsyncConnection, labels: LabelSets) -> None:
        self._connection = connection
        self._labels = labels

    async def runs(self) -> _Runs:
        """The runs, the oldest first."""
        return await self._connection.run(_runs())

    async def list(self, run: str = "last") -> _Sentences:
        """The traces of a run, in the order they began."""
        return await self._connection.run(_list(run))

    async def show(self, trace: str = "last/1") -> Document:
        """A sentence with its conflicts, as a document of its own."""
        return await self._connection.run(_show(trace, self._labels))

    async def export(self, run: str = "last") -> _Documents:
        """The sentences of a run, people's decisions included, each as a document of its own."""
        name, facts = await self._connection.run(_facts(run, self._labels))
        return [from_annotated(one, facts) async for one in self._connection.lines(requests.exported(name))]

    async def fork(self, run: str, judge: str, *, sample: int | None = None, seed: int = 0) -> TraceRun:
        """Settles the conflicts of a run again with another judge of the server, as a run of its own."""
        return await self._connection.run(_fork(run, judge, sample, seed))

    async def diff(self, a: str, b: str) -> TraceDifference:
        """What differs between two runs over the same sentences, a run and its fork as a rule."""
        return await self._connection.run(_diff(a, b))

    async def agreement(self, run: str = "last", *, most: int = 20) -> dict[str, Any]:
        """How far the taggers agree and whose candidates are kept, as `medner traces agreement --json` prints it."""
        return await self._connection.run(_agreement(run, most))

    async def overrule(
        self, trace: str, conflict: str, keep: Sequence[int], *, why: str, by: str | None = None
    ) -> Document:
        """Puts a person's decision in a verdict's place: the numbers of the candidates that stay, from 1.

        A server with keys takes the key's name; ``by`` is for one without.
        """
        return await self._connection.run(_overrule(trace, conflict, keep, (by, why), self._labels))

    async def take_back(self, trace: str, conflict: str) -> Document:
        """Takes a person's decision back: the judge's verdict holds again."""
        return await self._connection.run(_take_back(trace, conflict, self._labels))

    async def remove(self, run: str) -> int:
        """Removes a run and its traces for good; gives how many they were."""
        return await self._connection.run(_remove(run))


class ServerTraces:
    """The synchronous twin of :class:`AsyncServerTraces`."""

    def __init__(self, connection: Connection, labels: LabelSets) -> None:
        self._connection = connection
        self._labels = labels

    def runs(self) -> _Runs:
        """The runs, the oldest first."""
        return self._connection.run(_runs())

    def list(self, run: str = "last") -> _Sentences:
        """The traces of a run, in the order they began."""
        return self._connection.run(_list(run))

    def show(self, trace: str = "last/1") -> Document:
        """A sentence with its conflicts, as a document of its own."""
        return self._connection.run(_show(trace, self._labels))

    def export(self, run: str = "last") -> _Documents:
        """The sentences of a run, people's decisions included, each as a document of its own."""
        name, facts = self._connection.run(_facts(run, self._labels))
        return [from_annotated(one, facts) for one in self._connection.lines(requests.exported(name))]

    def fork(self, run: str, judge: str, *, sample: int | None = None, seed: int = 0) -> TraceRun:
        """Settles the conflicts of a run again with another judge of the server, as a run of its own."""
        return self._connection.run(_fork(run, judge, sample, seed))

    def diff(self, a: str, b: str) -> TraceDifference:
        """What differs between two runs over the same sentences, a run and its fork as a rule."""
        return self._connection.run(_diff(a, b))

    def agreement(self, run: str = "last", *, most: int = 20) -> dict[str, Any]:
        """How far the taggers agree and whose candidates are kept, as `medner traces agreement --json` prints it."""
        return self._connection.run(_agreement(run, most))

    def overrule(self, trace: str, conflict: str, keep: Sequence[int], *, why: str, by: str | None = None) -> Document:
        """Puts a person's decision in a verdict's place: :meth:`AsyncServerTraces.overrule`."""
        return self._connection.run(_overrule(trace, conflict, keep, (by, why), self._labels))

    def take_back(self, trace: str, conflict: str) -> Document:
        """Takes a person's decision back: the judge's verdict holds again."""
        return self._connection.run(_take_back(trace, conflict, self._labels))

    def remove(self, run: str) -> int:
        """Removes a run and its traces for good; gives how many they were."""
        return self._connection.run(_remove(run))


def _runs() -> Steps[_Runs]:
    return [_run(one) for one in (yield from requests.runs())]


def _list(name: str) -> Steps[_Sentences]:
    run = (yield from requests.run_named(name)).run
    return [
        SentenceTrace(f"{run}/{one.sentence}", one.conflicts, one.kinds, one.judges, one.overruled)
        for one in (yield from requests.sentences(run))
    ]


def _show(name: str, labels: LabelSets) -> Steps[Document]:
    run, sentence = yield from requests.sentence_named(name)
    return (yield from _sentence(run, sentence, labels))


def _sentence(run: RunMessage, sentence: str, labels: LabelSets) -> Steps[Document]:
    annotation = annotation_of((yield from requests.path(run.run, sentence)))
    facts = yield from labels.facts(run.labels)
    (document,) = sentence_documents([annotation])
    return from_annotated(document, facts)


def _facts(name: str, labels: LabelSets) -> Steps[tuple[str, RunFacts]]:
    run = yield from requests.run_named(name)
    return run.run, (yield from labels.facts(run.labels))


def _fork(name: str, judge: str, sample: int | None, seed: int) -> Steps[TraceRun]:
    if not isinstance(judge, str):
        raise UserError("judge: a server takes a judge by name: hard-vote, @NAME of its registry (judges.add) ...")
    run = yield from requests.run_named(name)
    made = yield from requests.fork(run.run, judge, sample=sample, seed=seed)
    return _run((yield from requests.run_named(made.run)))


def _diff(a: str, b: str) -> Steps[TraceDifference]:
    left, right = (yield from requests.run_named(a)).run, (yield from requests.run_named(b)).run
    found = yield from requests.diff(left, right, show=_MOST_CHANGES)
    changed = tuple(one.sentence for one in found.changes)
    return TraceDifference(found.sentences, found.conflicts, found.changed_conflicts, changed)


def _agreement(name: str, most: int) -> Steps[dict[str, Any]]:
    return (yield from requests.agreement((yield from requests.run_named(name)).run, most))


def _overrule(
    name: str, conflict: str, keep: Sequence[int], said: tuple[str | None, str], labels: LabelSets
) -> Steps[Document]:
    run, sentence = yield from requests.sentence_named(name)
    by, why = said
    yield from requests.overrule(run.run, sentence, conflict, keep=keep, why=why, by=by)
    return (yield from _sentence(run, sentence, labels))


def _take_back(name: str, conflict: str, labels: LabelSets) -> Steps[Document]:
    run, sentence = yield from requests.sentence_named(name)
    yield from requests.restore(run.run, sentence, conflict)
    return (yield from _sentence(run, sentence, labels))


def _remove(name: str) -> Steps[int]:
    return (yield from requests.remove((yield from requests.run_named(name)).run)).removed


def _run(one: RunMessage) -> TraceRun:
    return TraceRun(one.run, one.kind, one.judge, one.labels, one.started, one.sentences, one.origin)


#: So many changed sentences a server names.
_MOST_CHANGES = 1_000
