"""Conflicts handed to reviewers: the one that is worth most first, never one to two, none lost."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.records import ConflictKind
from medner.store.jobs import Jobs
from medner.store.jobs.keys import REVIEW_PARTS, job_key
from medner.store.redis.client import Client
from medner.store.reviews import Claim, Decided, Filters, ReviewItem, Reviews
from tests.jobs_kit import documents, spec

KINDS = [kind.value for kind in ConflictKind]


def item(
    number: int, *, margin: float = 0.5, abstained: bool = False, kind: str = KINDS[0], label: str = "sym"
) -> ReviewItem:
    """A conflict of a sentence of its own."""
    return ReviewItem(f"病历#{number}", "c0", kind, (label,), margin, abstained, number)


@pytest.fixture
def reviews(redis: Client) -> Reviews:
    """The reviews of the server."""
    return Reviews(redis)


@pytest.fixture
async def job(jobs: Jobs) -> str:
    """A job that is there."""
    return (await jobs.submit(spec(), documents(1))).id


async def added(reviews: Reviews, job: str, *items: ReviewItem) -> None:
    """The items under review."""
    await reviews.add(job, [Decided(one) for one in items], sentences=len(items))


async def claimed(reviews: Reviews, job: str, by: str = "a", filters: Filters | None = None) -> Claim:
    """A claim, which must be had."""
    found = await reviews.claim(job, by, filters or Filters())
    assert found is not None
    return found


_ITEMS = st.builds(
    ReviewItem,
    sentence=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    conflict=st.from_regex(r"c[0-9]{1,3}", fullmatch=True),
    kind=st.sampled_from(KINDS),
    labels=st.lists(st.from_regex(r"[a-z]{1,12}", fullmatch=True), max_size=3, unique=True).map(
        lambda one: tuple(sorted(one))
    ),
    margin=st.integers(0, 9_999).map(lambda one: one / 9_999),
    abstained=st.booleans(),
    place=st.integers(0, 10**9),
)


@given(_ITEMS)
def test_a_word_gives_its_item_back(one: ReviewItem) -> None:
    """Whatever stands in ids, the item of an item's word is the item."""
    assert ReviewItem.of(one.word) == one


@given(_ITEMS, _ITEMS)
def test_words_sort_by_worth(one: ReviewItem, other: ReviewItem) -> None:
    """Abstained first, then the smaller margin, then the kind, then the type, then the text."""

    def worth(each: ReviewItem) -> tuple[object, ...]:
        label = (each.labels or ("",))[0]
        return (not each.abstained, round(each.margin * 9_999), KINDS.index(each.kind), f"{label:<20}", each.place)

    if worth(one) < worth(other):
        assert one.word.encode() < other.word.encode()


async def test_what_is_worth_most_comes_first(reviews: Reviews, job: str) -> None:
    """In the order of worth, whatever the order in which they were added."""
    items = [item(0, margin=0.9), item(1, margin=0.1), item(2, abstained=True, margin=1.0), item(3, margin=0.1)]
    await added(reviews, job, *items)
    found = [(await claimed(reviews, job)).item.sentence for _ in items]
    assert found == ["病历#2", "病历#1", "病历#3", "病历#0"]
    assert await reviews.claim(job, "a") is None


async def test_many_reviewers_at_once_never_get_the_same(reviews: Reviews, job: str) -> None:
    """Fifty claims at a time, each with a conflict of its own; what is beyond them gets none."""
    await added(reviews, job, *(item(number) for number in range(40)))
    found = await asyncio.gather(*(reviews.claim(job, f"r{number}") for number in range(50)))
    got = [one.item.id for one in found if one is not None]
    assert len(got) == len(set(got)) == 40


async def test_a_claim_that_ends_is_given_to_the_next_and_the_late_word_is_refused(reviews: Reviews, job: str) -> None:
    """After its time it is another's; keeping, skipping and deciding then say that it is lost."""
    await added(reviews, job, item(0))
    first = await claimed(reviews, job)
    await _ends(reviews, first)
    second = await claimed(reviews, job, "b")
    assert second.item == first.item
    assert await reviews.keep(first) is None
    assert await reviews.decide(first) is None
    assert not await reviews.skip(first)
    assert await reviews.decide(second) is not None
    assert await reviews.decide(second) is None


async def test_a_late_word_counts_while_nobody_else_came(reviews: Reviews, job: str) -> None:
    """A claim whose time is over still decides, if the conflict is no other's."""
    await added(reviews, job, item(0))
    first = await claimed(reviews, job)
    await _ends(reviews, first)
    assert await reviews.decide(first) is not None


async def test_a_reviewer_who_leaves_gives_the_conflict_back(reviews: Reviews, job: str) -> None:
    """It is the next one's at once."""
    await added(reviews, job, item(0), item(1))
    first = await claimed(reviews, job)
    assert await reviews.release(first)
    assert (await claimed(reviews, job, "b")).item == first.item
    assert not await reviews.release(first)


async def test_filters_choose_kind_and_type(reviews: Reviews, job: str) -> None:
    """Only what fits is given; a type is matched whole."""
    await added(reviews, job, item(0), item(1, kind=KINDS[2]), item(2, label="symptom"), item(3, label="dis"))
    assert (await claimed(reviews, job, filters=Filters((ConflictKind(KINDS[2]),)))).item.place == 1
    assert (await claimed(reviews, job, filters=Filters(label="symptom"))).item.place == 2
    assert (await claimed(reviews, job, filters=Filters(label="dis"))).item.place == 3
    assert await reviews.claim(job, "a", Filters(label="dis")) is None


async def test_what_is_skipped_waits_apart(reviews: Reviews, job: str) -> None:
    """It comes again only to those who ask for it, and can be decided then."""
    await added(reviews, job, item(0))
    assert await reviews.skip(await claimed(reviews, job))
    assert await reviews.claim(job, "a") is None
    again = await claimed(reviews, job, filters=Filters(skipped=True))
    assert await reviews.decide(again) is not None
    state = await reviews.state(job)
    assert (len(state.waiting), len(state.skipped), len(state.decided)) == (0, 0, 1)


async def test_undo_gives_the_newest_decision_of_a_person(reviews: Reviews, job: str) -> None:
    """Each reviewer's own; reopened, the conflict waits again."""
    await added(reviews, job, item(0), item(1), item(2))
    for by in ("a", "b", "a"):
        await reviews.decide(await claimed(reviews, job, by))
        await asyncio.sleep(0.002)
    assert await reviews.newest_of(job, "b") == ("病历#1", "c0")
    assert await reviews.newest_of(job, "a") == ("病历#2", "c0")
    await reviews.note_open(job, "病历#2", "c0")
    assert await reviews.newest_of(job, "a") == ("病历#0", "c0")
    assert (await claimed(reviews, job)).item.place == 2
    assert await reviews.newest_of(job, "nobody") is None


async def test_decisions_of_another_way_count(reviews: Reviews, job: str) -> None:
    """What was decided before, or by a command, is not given out; adding twice changes nothing."""
    await reviews.add(job, [Decided(item(0), "li", 5.0), Decided(item(1))], sentences=2)
    await added(reviews, job, item(0), item(1))
    await reviews.note_decided(job, "病历#1", "c0", "wang")
    assert await reviews.claim(job, "a") is None
    assert await reviews.newest_of(job, "wang") == ("病历#1", "c0")
    assert (await reviews.counted(job), await reviews.known(job)) == (2, {"病历#0", "病历#1"})
    await reviews.note_decided("no-such-job", "x#0", "c0", "a")


async def test_the_review_goes_with_its_job(reviews: Reviews, jobs: Jobs, job: str, redis: Client) -> None:
    """Deleted with the job, and kept no longer than it where the job has an end already."""
    await jobs.cancel(job)
    await added(reviews, job, item(0), item(1))
    await reviews.decide(await claimed(reviews, job))
    left = [await redis.ttl(f"{job_key(job)}:{part}") for part in REVIEW_PARTS]
    assert all(seconds != -1 for seconds in left)
    await jobs.delete(job)
    assert await redis.keys(f"{job_key(job)}*") == []
    await added(reviews, job, item(0))
    assert await reviews.claim(job, "a") is None


async def test_many_conflicts_are_counted_and_claimed_quickly(reviews: Reviews, job: str) -> None:
    """Ten thousand of them are there in one state."""
    await added(reviews, job, *(item(number, margin=number / 10_000) for number in range(10_000)))
    state = await reviews.state(job)
    assert (len(state.waiting), state.per_minute) == (10_000, 0.0)
    assert (await claimed(reviews, job)).item.place == 0


async def _ends(reviews: Reviews, claim: Claim) -> None:
    """Ends the time of a claim by writing an end that has passed."""
    data = await reviews._redis.hget(f"{job_key(claim.job)}:review-claims", claim.item.id)
    assert data is not None
    ended = data.replace(str(int(claim.until_s * 1_000)).encode(), b"1000")
    assert ended != data
    await reviews._redis.hset(f"{job_key(claim.job)}:review-claims", claim.item.id, ended)
