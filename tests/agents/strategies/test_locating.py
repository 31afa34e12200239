"""Numbers within bounds, substrings as a walk, places of a stated text."""

from hypothesis import given, settings
from hypothesis import strategies as st

from medner.agents.strategies.locating import (
    StatedNode,
    Substrings,
    nearest_occurrence,
    number_is_complete,
    number_steps,
)


@given(low=st.integers(0, 120), span=st.integers(0, 1_500))
@settings(max_examples=60, deadline=None)
def test_digits_spell_exactly_the_numbers_within_bounds(low, span):
    """Every number once, no leading zero, no dead end."""
    spelt, open_ = [], [""]
    while open_:
        digits = open_.pop()
        following = [after for _, after in number_steps(digits, low, low + span)]
        whole = number_is_complete(digits, low, low + span)
        assert following or whole
        spelt += [int(digits)] if whole else []
        open_ += following
    assert sorted(spelt) == list(range(low, low + span + 1))


@given(text=st.text(alphabet="咽痛热", min_size=1, max_size=7))
@settings(max_examples=60, deadline=None)
def test_the_walk_gives_every_substring_once_and_where_it_ends(text):
    """And nothing else."""
    walk = Substrings(text, str.encode)
    found, open_ = {}, [(b"", StatedNode("entity", (0, 0, 0), walk.anywhere))]
    while open_:
        read, node = open_.pop()
        for piece, after in walk.edges(node):
            longer = (read + piece).decode()
            assert longer not in found
            assert isinstance(after, StatedNode)
            found[longer] = after.places
            open_.append((read + piece, after))
    wanted = {text[start:end] for end in range(len(text) + 1) for start in range(end)}
    assert set(found) == wanted
    for part, ends in found.items():
        assert list(ends) == [at + len(part) for at in range(len(text)) if text.startswith(part, at)]


@given(text=st.text(alphabet="咽痛", max_size=20), start=st.integers(0, 25), taken=st.sets(st.integers(0, 20)))
@settings(max_examples=100, deadline=None)
def test_the_nearest_free_place_is_found(text, start, taken):
    """The earlier of two that are equally near; None when there is none."""
    free = [at for at in range(len(text)) if text.startswith("咽痛", at) and at not in taken]
    wanted = min(free, key=lambda at: (abs(at - start), at), default=None)
    assert nearest_occurrence(text, "咽痛", start, taken) == wanted
