"""Conflicts handed to reviewers, one reviewer a conflict."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from medner.core.records import ConflictKind
from medner.store.jobs.keys import job_key
from medner.store.redis.client import Client
from medner.store.reviews.items import ReviewItem, id_of
from medner.store.reviews.lua import SCRIPTS

#: How long a claim lasts when nothing more is heard of it.
LEASE_S = 300.0
#: A decision that is being written is not lost to another meanwhile.
WRITING_S = 60.0
#: A late word is told that it is late for so long; later, that there is no such claim.
_REMEMBERED_S = 86_400
_PACE_S = 600.0
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Claim:
    """A conflict that a reviewer holds until a time (epoch seconds). ``token`` is the word that acts on it."""

    token: str
    job: str
    by: str
    word: str
    until_s: float = 0.0

    @property
    def item(self) -> ReviewItem:
        """The conflict."""
        return ReviewItem.of(self.word)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which conflicts a reviewer wants: of these kinds, about this type; ``skipped``: those that were skipped."""

    kinds: tuple[ConflictKind, ...] = ()
    label: str = ""
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """An item, and who decided it already, when (epoch seconds): "" for nobody."""

    item: ReviewItem
    by: str = ""
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ReviewState:
    """Where a review is. ``per_minute`` are decisions of the last ten minutes."""

    waiting: tuple[ReviewItem, ...]
    skipped: tuple[ReviewItem, ...]
    decided: tuple[ReviewItem, ...]
    claimed: int
    per_minute: float


_CLAIM = TypeAdapter(Claim)


class Reviews:
    """The reviews of one Redis."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._scripts = {name: redis.register_script(text) for name, text in SCRIPTS.items()}

    async def counted(self, job: str) -> int:
        """How many sentences of a job were looked through for conflicts."""
        return int(await self._redis.hget(f"{job_key(job)}:review-known", "") or 0)

    async def known(self, job: str) -> set[str]:
        """The sentences that have a conflict in the review."""
        ids = await self._redis.hkeys(f"{job_key(job)}:review-known")
        return {one.decode().partition("\0")[0] for one in ids if one}

    async def add(self, job: str, items: Iterable[Decided], *, sentences: int) -> None:
        """Adds conflicts; those that are there stay as they are. ``sentences`` is what :meth:`counted` gives then."""
        found = list(items)
        for begin in range(0, max(1, len(found)), _AT_ONCE):
            words: list[Any] = []
            for one in found[begin : begin + _AT_ONCE]:
                words += [one.item.word, one.by, int(one.at_s * 1_000)]
            last = begin + _AT_ONCE >= len(found)
            await self._call("add", job, sentences if last else 0, *words)

    async def claim(self, job: str, by: str, filters: Filters = Filters()) -> Claim | None:
        """The conflict that is worth most of those that nobody holds; None where none is left."""
        token = secrets.token_urlsafe(24)
        wanted = [kind.value for kind in filters.kinds]
        lease_ms = int(LEASE_S * 1_000)
        found = await self._call("claim", job, token, by, lease_ms, int(filters.skipped), filters.label, *wanted)
        if not found:
            return None
        claim = Claim(token, job, by, found[0].decode(), int(found[1]) / 1_000)
        await self._redis.set(_token_key(token), _CLAIM.dump_json(claim), ex=_REMEMBERED_S)
        return claim

    async def claim_of(self, token: str) -> Claim | None:
        """The claim of a token, held or lost; None where there never was one, or long ago."""
        data = await self._redis.get(_token_key(token))
        return None if data is None else _CLAIM.validate_json(data)

    async def keep(self, claim: Claim, *, lease_s: float = LEASE_S) -> float | None:
        """Until when the claim lasts now (epoch seconds); None where it is lost."""
        until = int(await self._call("keep", claim.job, claim.item.id, claim.token, int(lease_s * 1_000)))
        return until / 1_000 if until else None

    async def decide(self, claim: Claim) -> float | None:
        """The conflict is decided (epoch seconds); None where the claim is lost."""
        at = int(await self._call("decide", claim.job, claim.item.id, claim.token, claim.by))
        return at / 1_000 if at else None

    async def skip(self, claim: Claim) -> bool:
        """The conflict is put aside; False where the claim is lost."""
        return bool(await self._call("skip", claim.job, claim.item.id, claim.token))

    async def release(self, claim: Claim) -> bool:
        """The conflict is given back; False where the claim is lost."""
        return bool(await self._call("release", claim.job, claim.item.id, claim.token))

    async def note_decided(self, job: str, sentence: str, conflict: str, by: str) -> None:
        """Somebody decided a conflict another way; nothing where it is not under review."""
        await self._call("note", job, id_of(sentence, conflict), by)

    async def note_open(self, job: str, sentence: str, conflict: str) -> None:
        """A decision was taken back; the conflict waits again."""
        await self._call("reopen", job, id_of(sentence, conflict))

    async def newest_of(self, job: str, by: str) -> tuple[str, str] | None:
        """The sentence and conflict that a person decided last; None where there are none."""
        found = await self._call("newest", job, by)
        if found is None:
            return None
        sentence, _, conflict = found.decode().partition("\0")
        return sentence, conflict

    async def numbers(self, job: str) -> tuple[int, int]:
        """How many conflicts are decided, and how many wait."""
        base = job_key(job)
        return int(await self._redis.hlen(f"{base}:review-decided")), int(
            await self._redis.zcard(f"{base}:review-queue")
        )

    async def state(self, job: str) -> ReviewState:
        """Where the review of a job is."""
        waiting, skipped, decided, held, times, now = await self._call("state", job, int(_PACE_S * 1_000))
        stamps = [float(one) for one in times]
        span_min = max((float(now) - min(stamps)) / 60_000, 1.0) if stamps else 1.0
        return ReviewState(
            _items(waiting), _items(skipped), _items(decided), int(held), round(len(stamps) / span_min, 2)
        )

    async def _call(self, name: str, job: str, *arguments: Any) -> Any:
        return await self._scripts[name](keys=[job_key(job)], args=arguments)


def _items(words: Sequence[bytes | None]) -> tuple[ReviewItem, ...]:
    return tuple(ReviewItem.of(word.decode()) for word in words if word)


def _token_key(token: str) -> str:
    return f"medner:review-claim:{token}"
