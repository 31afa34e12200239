"""A sentence and its candidates in one request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.agents.filters.candidates.layout import MOST_TOKENS, read, requests, written

TOKENS = st.lists(st.integers(0, 151_935), min_size=1, max_size=400)


@given(TOKENS, st.lists(TOKENS, max_size=6))
def test_what_is_written_can_be_read(sentence: list[int], candidates: list[list[int]]) -> None:
    """Every part is found again, and the place of each candidate's last token."""
    tokens = written(sentence, candidates)
    layout = read(tokens)
    assert layout is not None
    assert [tokens[start:end] for start, end in layout.parts] == [sentence, *candidates]
    assert [tokens[last] for last in layout.lasts] == [candidate[-1] for candidate in candidates]


@given(st.lists(st.integers(0, 151_935), max_size=40))
def test_other_tokens_are_no_layout_or_a_whole_one(tokens: list[int]) -> None:
    """A server tries its models with tokens of its own: nothing is raised, and nothing read that is not there."""
    layout = read(tokens)
    if layout is not None:
        assert layout.parts[-1][1] == len(tokens)


def test_a_request_has_an_end() -> None:
    """As many candidates as fit; one that is too long alone goes alone."""
    candidates = [[1] * size for size in (900, 900, 200, 3_000, 5)]
    groups = [[len(one) for one in group] for group in requests([7] * 100, candidates)]
    assert groups == [[900, 900], [200], [3_000], [5]]
    assert all(len(written([7] * 100, [[1] * one for one in group])) <= MOST_TOKENS for group in (groups[0], groups[1]))
    assert list(requests([7], [])) == []


def test_nothing_is_cut_in_silence() -> None:
    """Parts without tokens, and parts longer than two digits can say."""
    for parts in ([], [1] * 65_536):
        with pytest.raises(ValueError, match="each of some tokens"):
            written([1], [parts])
