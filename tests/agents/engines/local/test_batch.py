"""A running batch: shared prompt prefixes, what a drafted token may cost."""

import pytest

torch = pytest.importorskip("torch")
from medner.agents.engines.local.batch import (
    KEPT_PREFIXES,
    SHORTEST_KEPT_PREFIX,
    Batch,
    Choosing,
    Decoding,
    draft_doubt,
)
from medner.agents.engines.local.decoding import AnswerRow
from medner.agents.engines.local.model import LocalModel

PREFIX = list(range(20, 20 + SHORTEST_KEPT_PREFIX + 4))


@pytest.fixture(scope="module")
def model(tiny_base, tiny_adapters):
    return LocalModel(tiny_base, tiny_adapters, dtype=torch.float32, device=torch.device("cpu"))


def decoding(model, prompt, shared, adapter=None, max_tokens=3):
    row = AnswerRow(prompt, None, end_ids=frozenset([10**6]), max_tokens=max_tokens)
    return Decoding(row, shared, model.new_cache(8), adapter)


def test_the_fuller_a_batch_the_surer_a_draft_must_be():
    """A drafted token costs little in a small batch and nearly as much as it saves in a large one."""
    doubts = [draft_doubt(rows) for rows in range(1, 100)]
    assert doubts == sorted(doubts)
    assert 0 < doubts[0] < 0.3
    assert 0.9 < doubts[-1] < 1


def test_a_prefix_is_run_once_for_each_adapter(model):
    """The second prompt with the same beginning copies it; another adapter sees other states and runs it anew."""
    batch = Batch(model)
    batch.add(decoding(model, [*PREFIX, 5, 6], len(PREFIX)))
    assert (batch.passes, batch.tokens) == (1, len(PREFIX))
    batch.add(decoding(model, [*PREFIX, 7], len(PREFIX)))
    assert batch.passes == 1
    batch.add(decoding(model, [*PREFIX, 7], len(PREFIX), "one"))
    assert batch.passes == 2
    batch.step()
    assert (batch.passes, batch.tokens) == (3, 2 * len(PREFIX) + 2 + 1 + 1)


def test_a_copied_prefix_gives_the_same_answer(model):
    """As a prompt that was run whole."""
    answers = []
    for shared in (0, len(PREFIX), len(PREFIX)):
        batch = Batch(model)
        for _ in range(2):
            batch.add(decoding(model, [*PREFIX, 5, 6], shared))
        done: list[Decoding] = []
        while batch.work:
            done += [work for work in batch.step() if isinstance(work, Decoding)]
        answers += [work.row.answer for work in done]
    assert len(answers) == 6
    assert all(answer == answers[0] for answer in answers)


def test_short_prefixes_are_not_kept(model):
    """To run a few tokens again is cheaper than a pass of their own."""
    batch = Batch(model)
    batch.add(decoding(model, PREFIX, SHORTEST_KEPT_PREFIX - 1))
    assert batch.passes == 0


def test_the_oldest_prefixes_are_forgotten(model):
    """So that memory does not grow with the number of different prompts."""
    batch = Batch(model)
    prompts = [[first, *PREFIX] for first in range(30, 30 + KEPT_PREFIXES + 1)]
    for prompt in prompts:
        batch.add(decoding(model, prompt, len(PREFIX)))
    before = batch.passes
    batch.add(decoding(model, prompts[-1], len(PREFIX)))
    assert batch.passes == before
    batch.add(decoding(model, prompts[0], len(PREFIX)))
    assert batch.passes == before + 1


def test_choices_end_with_their_first_pass(model):
    """While rows go on; rows of one adapter stand together."""
    batch = Batch(model)
    work = [decoding(model, [5, 6, 7], 0, "two"), decoding(model, [5, 6], 0), decoding(model, [8], 0, "two")]
    choice = Choosing([5, 6, 7], 0, (3, 4), model.new_cache(8), "one")
    for one in (*work, choice):
        batch.add(one)
    assert [one.adapter for one in batch.work] == [None, "one", "two", "two"]
    assert batch.step() == [choice]
    assert len(choice.scores) == 2
    assert len(batch.work) == 3
