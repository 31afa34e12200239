"""Batches by token budget, whatever they are batches of."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence, Sized
from typing import TypeVar

from medner.training.loop.settings import TaggerTraining

One = TypeVar("One", bound=Sized)

#: Padded tokens in a batch that is only scored.
SCORED_TOKENS = 1_024


def batches_by_tokens(
    examples: Sequence[One], *, budget: int, seed: int | None, most: int | None = None
) -> list[list[One]]:
    """The examples in batches of at most ``budget`` padded tokens, similar lengths together, in a seeded order.

    ``most`` limits the examples of a batch as well. An example longer than the budget is a batch of its own. ``seed``
    None keeps them by length.
    """
    shuffle = random.Random(seed)  # noqa: S311  reproducibility, not secrecy
    # A little noise in the sort key gives other neighbours for every seed.
    noise = 0.0 if seed is None else 0.1
    ordered = sorted(examples, key=lambda example: len(example) * shuffle.uniform(1 - noise, 1 + noise))
    batches: list[list[One]] = []
    longest = 0
    for example in ordered:
        longest = max(longest, len(example))
        full = batches and most is not None and len(batches[-1]) >= most
        if not batches or full or longest * (len(batches[-1]) + 1) > budget:
            batches.append([])
            longest = len(example)
        batches[-1].append(example)
    if seed is not None:
        shuffle.shuffle(batches)
    return batches


def epochs_of(examples: Sequence[One], settings: TaggerTraining) -> Callable[[int], list[list[One]]]:
    """The batches of an epoch, by its number."""
    return lambda number: batches_by_tokens(
        examples, budget=settings.batch_tokens, most=settings.batch_examples, seed=settings.seed + number
    )
