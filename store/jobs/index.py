"""All jobs of a Redis by time, state, id and name: what a list or a number costs does not grow with how many there are.

The scripts that change a job keep the indexes in the same step. Jobs of version 0.1.0, which kept fewer, are entered
when the indexes are first looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from medner.core.errors import UserError
from medner.store.jobs.keys import INDEX, LEFT, NAMES, QUEUES, REINDEXED, STATE_INDEX
from medner.store.jobs.lua import Scripts
from medner.store.jobs.records import JobView
from medner.store.jobs.states import JobState
from medner.store.jobs.views import read_views
from medner.store.redis.client import Client

_REINDEX_EVERY_S = 3_600
#: An error message names so many of the jobs that a name may mean.
_NAMED = 4


@dataclass(frozen=True, slots=True)
class QueueNumbers:
    """Messages by stream, the id of the oldest of each ("" for none), jobs by state, sentences left."""

    lengths: tuple[int, ...]
    oldest: tuple[str, ...]
    jobs: dict[str, int]
    sentences_left: int


@dataclass(frozen=True, slots=True)
class JobsPage:
    """Some jobs, how many there are in all, and the place behind which the next page begins; None at the end."""

    views: tuple[JobView, ...]
    total: int
    next: str | None


#: When a job was submitted, in milliseconds, and its id.
_Place = tuple[int, str]


class JobIndex:
    """The indexes of all jobs of one Redis."""

    def __init__(self, redis: Client, scripts: Scripts) -> None:
        self._redis = redis
        self._scripts = scripts

    async def refresh(self) -> int:
        """Lets what has expired leave the indexes; how many jobs there are."""
        while True:
            total, more = await self._scripts("refresh", INDEX)
            if not more:
                return int(total)

    async def rebuild(self) -> None:
        """Makes the indexes again from the jobs, at most once an hour: for a worker that begins."""
        if await self._redis.set(REINDEXED, 1, nx=True, ex=_REINDEX_EVERY_S):
            await self._scripts("reindex", INDEX)

    async def newest(self, limit: int | None) -> tuple[list[JobView], int]:
        """The newest ``limit`` jobs, the newest first, and how many there are in all."""
        total = await self.refresh()
        views: list[JobView] = []
        begin = 0
        while limit is None or len(views) < limit:
            end = -1 if limit is None else begin + limit - len(views) - 1
            names = [name.decode() for name in await self._redis.zrevrange(INDEX, begin, end)]
            found = dict(zip(names, await read_views(self._redis, names), strict=True))
            views += [view for view in found.values() if view is not None]
            gone = [name for name, view in found.items() if view is None]
            if gone:
                await self._scripts("unregister", INDEX, *gone)
                total -= len(gone)
            begin += len(names) - len(gone)
            if limit is None or not names:
                break
        return views, total

    async def page(
        self, limit: int, *, after: str | None = None, state: JobState | None = None, name: str = ""
    ) -> JobsPage:
        """Jobs, the newest first: those behind a place, of a state, with a name that begins so.

        ``after`` is the ``next`` of the page before. UserError for one that is none.
        """
        total = await self.refresh()
        place = None if after is None else _place_of(after)
        if state is None and not name:
            places, more = await self._behind(place, limit)
        else:
            places, more = await self._chosen(place, limit, state, name)
        views = [view for view in await read_views(self._redis, [job for _, job in places]) if view is not None]
        following = "{}:{}".format(*places[-1]) if more and places else None
        return JobsPage(tuple(views), total, following)

    async def _behind(self, place: _Place | None, limit: int) -> tuple[list[_Place], bool]:
        """The places behind one, and whether more follow; what they cost does not grow."""
        # Half a millisecond more, so that no rounding leaves out those of the same one.
        highest: Any = "+inf" if place is None else (place[0] + 0.5) / 1_000
        found: list[_Place] = []
        begin = 0
        while len(found) <= limit:
            some = await self._redis.zrevrangebyscore(
                INDEX, highest, "-inf", start=begin, num=limit + 1, withscores=True
            )
            pairs = [(_ms(score), name.decode()) for name, score in some]
            # Of several jobs of one millisecond those up to the place were given before.
            found += [one for one in pairs if place is None or one < place]
            begin += len(some)
            if len(some) <= limit:
                break
        return found[:limit], len(found) > limit

    async def _chosen(
        self, place: _Place | None, limit: int, state: JobState | None, name: str
    ) -> tuple[list[_Place], bool]:
        """The same of those that fit; what they cost grows with how many fit."""
        fitting: list[set[str]] = []
        if state is not None:
            fitting.append({one.decode() for one in await self._redis.zrange(STATE_INDEX + state.value, 0, -1)})
        if name:
            begin = f"[n{name}".encode()
            entries = await self._redis.zrangebylex(NAMES, begin, begin + b"\xff")
            fitting.append({entry.rpartition(b"\0")[2].decode() for entry in entries})
        ids = sorted(set.intersection(*fitting))
        scores = await self._redis.zmscore(INDEX, ids) if ids else []
        known = [(_ms(score), one) for one, score in zip(ids, scores, strict=True) if score is not None]
        behind = sorted((one for one in known if place is None or one < place), reverse=True)
        return behind[:limit], len(behind) > limit

    async def find(self, name: str) -> str:
        """The id of a job from its id, a beginning of it that only one has, its name, or ``last``. UserError else."""
        await self.refresh()
        begin = f"[i{name}"
        called = (f"[n{name}\0", f"(n{name}\1")
        # Text in UTF-8 never holds this byte.
        beyond = begin.encode() + b"\xff"
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zscore(INDEX, name)
            pipe.zrevrange(INDEX, 0, 0)
            pipe.zrangebylex(NAMES, *called, 0, _NAMED)
            pipe.zlexcount(NAMES, *called)
            pipe.zrangebylex(NAMES, begin, beyond, 0, _NAMED)
            pipe.zlexcount(NAMES, begin, beyond)
            known, newest, named, count_named, begun, count_begun = await pipe.execute()
        if name == "last" and newest:
            return str(newest[0].decode())
        if known is not None:
            return name
        found, count = ([entry.rpartition(b"\0")[2].decode() for entry in named], count_named) if named else ([], 0)
        if not found and name:
            found, count = [entry[1:].decode() for entry in begun], count_begun
        if count == 1:
            return str(found[0])
        if not found:
            raise no_job(name)
        raise UserError(f"{count} jobs are meant by {name!r}: {', '.join(found)}; give the whole id")

    async def numbers(self) -> QueueNumbers:
        """How much there is to do."""
        await self.refresh()
        async with self._redis.pipeline(transaction=False) as pipe:
            for stream in QUEUES.values():
                pipe.xlen(stream)
                pipe.xrange(stream, count=1)
            for state in JobState:
                pipe.zcard(STATE_INDEX + state.value)
            pipe.get(LEFT)
            answers = await pipe.execute()
        streams, states = answers[: 2 * len(QUEUES)], answers[2 * len(QUEUES) : -1]
        return QueueNumbers(
            lengths=tuple(int(length) for length in streams[::2]),
            oldest=tuple(first[0][0].decode() if first else "" for first in streams[1::2]),
            jobs={state.value: int(count) for state, count in zip(JobState, states, strict=True)},
            sentences_left=max(0, int(answers[-1] or 0)),
        )


def no_job(name: str) -> UserError:
    """What a command says of a job that is not there."""
    return UserError(f"no job {name!r}; medner jobs list shows those there are (results are kept for a time)")


def _place_of(cursor: str) -> _Place:
    score, _, job = cursor.partition(":")
    if not (score.isascii() and score.isdecimal()) or len(score) > 15 or not job:
        raise UserError("the cursor is none of this list")
    return int(score), job


def _ms(score: Any) -> int:
    """The milliseconds of a score, which is in seconds."""
    return round(1_000 * float(score))
