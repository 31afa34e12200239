"""Names in messages: all where they are few, the first ones where they are many."""

from __future__ import annotations

from medner.core.listing import first_few


def test_an_ellipsis_stands_for_the_rest() -> None:
    """As many names as are allowed are all; one more gives the ellipsis."""
    assert first_few([], 2) == ""
    assert first_few(iter(["a", "b"]), 2) == "a, b"
    assert first_few(["a", "b", "c"], 2) == "a, b ..."
