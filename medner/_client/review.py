"""The conflicts of a server's jobs, for people to decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from medner._client.label_sets import LabelSets
from medner._documents import Candidate, Conflict, Entity, RunFacts
from medner._jobs import Job
from medner.service.client import jobs
from medner.service.client import review as requests
from medner.service.client.calls import Steps
from medner.service.client.connection import AsyncConnection, Connection
from medner.service.client.trace_messages import ConflictMessage, VerdictMessage


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A conflict that is yours until ``expires``; nobody else gets it meanwhile.

    ``text`` is the sentence, which begins at ``offset`` of its document; the ``conflict``'s offsets are of the
    sentence. ``trace`` (RUN/SENTENCE) shows its path. ``worth`` is how unsure the judge was, from 0 to 1. ``before``
    conflicts were decided, ``left`` wait.
    """

    claim: str
    expires: datetime
    trace: str
    text: str
    offset: int
    conflict: Conflict
    worth: float
    before: int
    left: int
    _facts: RunFacts = field(default=RunFacts(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ReviewProgress:
    """Where the review of a job is. ``settled`` is the share of the doubt that decisions have settled.

    ``decisions_for``: how many more decisions settle each share of it.
    """

    conflicts: int
    decided: int
    skipped: int
    claimed: int
    left: int
    settled: float
    decisions_for: Mapping[float, int]
    per_minute: float


class AsyncServerReview:
    """The review queue of a server's jobs: ``server.review``. It needs a key with the scope ``review``.

    The conflicts that are worth a look most come first. A claim lasts five minutes; :meth:`keep` asks for more.
    """

    def __init__(self, connection: AsyncConnection, labels: LabelSets) -> None:
        self._connection = connection
        self._labels = labels

    async def progress(self, job: str | Job = "last") -> ReviewProgress:
        """How much is decided, and how many decisions settle how much of the doubt that is left."""
        return await self._connection.run(_progress(job))

    async def claim(
        self,
        job: str | Job = "last",
        *,
        kinds: Sequence[str] = (),
        label: str = "",
        skipped: bool = False,
        by: str | None = None,
    ) -> ReviewItem | None:
        """The next conflict; None when none is left. ``skipped``: of those that were put aside.

        ``by`` is who reviews, for a server without keys; else that is the key's name.
        """
        wanted = {"kinds": kinds, "label": label, "skipped": skipped, "by": by}
        return await self._connection.run(_claim(job, wanted, self._labels))

    async def decide(
        self, item: ReviewItem, keep: Sequence[int], *, add: Sequence[Entity] = (), why: str = ""
    ) -> Conflict:
        """Decides: the numbers of the candidates that stay, from 1, and what is added, in offsets of the sentence.

        RefusedError of the kind ``claim-lost`` where it comes late: somebody else has the conflict or decided it.
        """
        return await self._connection.run(_decide(item, keep, add, why))

    async def skip(self, item: ReviewItem, *, why: str = "") -> None:
        """Puts a conflict aside."""
        await self._connection.run(requests.skip(item.claim, why))

    async def release(self, item: ReviewItem) -> None:
        """Gives a conflict back, for somebody else."""
        await self._connection.run(requests.release(item.claim))

    async def keep(self, item: ReviewItem) -> ReviewItem:
        """The conflict for another five minutes."""
        return replace(item, expires=await self._connection.run(requests.keep(item.claim)))

    async def ask(self, item: ReviewItem, judge: str) -> Conflict:
        """The conflict as another judge of the server would settle it; nothing changes."""
        return await self._connection.run(_ask(item, judge))

    async def undo(self, job: str | Job = "last", *, by: str | None = None) -> Conflict:
        """Takes your newest decision in a job's review back; the conflict with the judge's verdict."""
        return await self._connection.run(_undo(job, by, self._labels))


class ServerReview:
    """The synchronous twin of :class:`AsyncServerReview`."""

    def __init__(self, connection: Connection, labels: LabelSets) -> None:
        self._connection = connection
        self._labels = labels

    def progress(self, job: str | Job = "last") -> ReviewProgress:
        """How much is decided, and how many decisions settle how much of the doubt that is left."""
        return self._connection.run(_progress(job))

    def claim(
        self,
        job: str | Job = "last",
        *,
        kinds: Sequence[str] = (),
        label: str = "",
        skipped: bool = False,
        by: str | None = None,
    ) -> ReviewItem | None:
        """The next conflict; None when none is left: :meth:`AsyncServerReview.claim`."""
        wanted = {"kinds": kinds, "label": label, "skipped": skipped, "by": by}
        return self._connection.run(_claim(job, wanted, self._labels))

    def decide(self, item: ReviewItem, keep: Sequence[int], *, add: Sequence[Entity] = (), why: str = "") -> Conflict:
        """Decides: the numbers of the candidates that stay, from 1: :meth:`AsyncServerReview.decide`."""
        return self._connection.run(_decide(item, keep, add, why))

    def skip(self, item: ReviewItem, *, why: str = "") -> None:
        """Puts a conflict aside."""
        self._connection.run(requests.skip(item.claim, why))

    def release(self, item: ReviewItem) -> None:
        """Gives a conflict back, for somebody else."""
        self._connection.run(requests.release(item.claim))

    def keep(self, item: ReviewItem) -> ReviewItem:
        """The conflict for another five minutes."""
        return replace(item, expires=self._connection.run(requests.keep(item.claim)))

    def ask(self, item: ReviewItem, judge: str) -> Conflict:
        """The conflict as another judge of the server would settle it; nothing changes."""
        return self._connection.run(_ask(item, judge))

    def undo(self, job: str | Job = "last", *, by: str | None = None) -> Conflict:
        """Takes your newest decision in a job's review back; the conflict with the judge's verdict."""
        return self._connection.run(_undo(job, by, self._labels))


def _id(job: str | Job) -> Steps[str]:
    return job.id if isinstance(job, Job) else (yield from jobs.find(job))


def _progress(job: str | Job) -> Steps[ReviewProgress]:
    found = yield from requests.progress((yield from _id(job)))
    needed = {one.share: one.decisions for one in found.decisions_for}
    return ReviewProgress(
        found.conflicts,
        found.decided,
        found.skipped,
        found.claimed,
        found.left,
        found.doubt.settled,
        needed,
        found.per_minute,
    )


def _claim(job: str | Job, wanted: Mapping[str, object], labels: LabelSets) -> Steps[ReviewItem | None]:
    found = yield from requests.claim((yield from _id(job)), wanted)
    if found is None:
        return None
    facts = yield from labels.facts(found.labels)
    return ReviewItem(
        found.claim,
        found.expires,
        f"{found.run}/{found.sentence}",
        found.text,
        found.offset,
        _conflict(found.conflict, found.conflict.verdict, facts),
        found.worth,
        found.before,
        found.left,
        facts,
    )


def _decide(item: ReviewItem, keep: Sequence[int], add: Sequence[Entity], why: str) -> Steps[Conflict]:
    places = [(one.start, one.end, one.label) for one in add]
    found = yield from requests.decide(item.claim, keep, places, why)
    return _conflict(found.conflict, found.conflict.verdict, item._facts)


def _ask(item: ReviewItem, judge: str) -> Steps[Conflict]:
    verdict = yield from requests.ask_judge(item.claim, judge)
    candidates = tuple(
        replace(one, kept=number in verdict.kept) for number, one in enumerate(item.conflict.candidates, 1)
    )
    return replace(_settled(item.conflict, verdict), candidates=candidates, prompt="", answer="")


def _undo(job: str | Job, by: str | None, labels: LabelSets) -> Steps[Conflict]:
    view = yield from jobs.show((yield from _id(job)))
    found = yield from requests.undo(view.id, by)
    return _conflict(found, found.verdict, (yield from labels.facts(view.labels)))


def _conflict(message: ConflictMessage, verdict: VerdictMessage | None, facts: RunFacts) -> Conflict:
    kept = () if verdict is None else verdict.kept
    candidates = tuple(
        Candidate(
            one.start,
            one.end,
            one.label,
            one.text,
            facts.name_of(one.label),
            one.taggers,
            one.score,
            number in kept,
        )
        for number, one in enumerate(message.candidates, 1)
    )
    found = Conflict(
        message.id,
        message.kind.value,
        message.start,
        message.end,
        message.text,
        candidates,
        prompt=message.prompt,
        answer=message.answer,
    )
    return found if verdict is None else _settled(found, verdict)


def _settled(conflict: Conflict, verdict: VerdictMessage) -> Conflict:
    return replace(
        conflict,
        judge=verdict.judge,
        judge_version=verdict.version,
        fallback=None if verdict.fallback is None else verdict.fallback.value,
        reason=verdict.fallback_reason,
    )
