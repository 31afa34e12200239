"""Blank characters, and characters of several code points."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.characters import cluster_end, cluster_start, is_blank, is_inside_cluster, without_blank_edges

BLANK = [
    " ", "\t", "\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\u1680", "\u2003", "\u2028", "\u2029", "\u202f",
    "\u205f", "\u3000", "\u200b", "\u200c", "\u200d", "\u200e", "\u2060", "\u2061", "\ufeff", "\xad", "\u061c", "\x00",
    "\x07", "\x7f", "\u202e", "\u2066", "\u180e", "\u3164", "\uffa0", "\u2800", "\u034f", "\ufe0f", "\U000e0100",
    "\U000e0041",
]  # fmt: skip
WHOLE = [
    "e\u0301", "e\u0301\u0327", "\u8fbb\U000e0100", "\u2764\ufe0f", "1\ufe0f\u20e3", "\U0001f44d\U0001f3fd",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f469\U0001f3fd\u200d\u2695\ufe0f", "\U0001f1e8\U0001f1f3",
    "\uff76\uff9e", "\u0e01\u0e33"[:1] + "\u0e34", "\U0001f3f4\U000e0067\U000e0062\U000e007f",
]  # fmt: skip


@pytest.mark.parametrize("text", BLANK)
def test_what_nobody_sees_is_blank(text: str) -> None:
    """White space, controls, zero-width characters, fillers and lone selectors, alone or together with others."""
    assert is_blank(text)
    assert is_blank(text + "\u3000" + text)
    assert not is_blank(text + "咳")


def test_nothing_is_blank_and_a_visible_mark_is_not() -> None:
    """The empty text is blank; punctuation, a replacement character and a combining mark by itself are seen."""
    assert is_blank("")
    assert not any(map(is_blank, ["。", "-", "\ufffd", "\u0301", "0", "好", "a", "\ue000"]))


@given(st.text())
def test_all_that_python_strips_is_blank(text: str) -> None:
    """Whatever ``str.strip`` leaves nothing of is blank here."""
    assert is_blank(text) or text.strip()


@pytest.mark.parametrize("whole", WHOLE)
def test_what_a_reader_sees_as_one_is_never_torn(whole: str) -> None:
    """Marks, selectors, skin tones, emoji joined and flags are inside a cluster, between other characters too."""
    text = f"好{whole}{whole}好"
    assert [at for at in range(len(text) + 1) if not is_inside_cluster(text, at)] == [
        0, 1, 1 + len(whole), 1 + 2 * len(whole), len(text)
    ]  # fmt: skip
    assert cluster_start(text, len(whole)) == 1
    assert cluster_end(text, 1) == 1 + len(whole)


@pytest.mark.parametrize(
    "text", [" \u0301", "\n\u0301", "\u3000\ufe0f", "炎\u200d咳", "炎\u200c咳", "炎\u200b咳", "\x07\u0301"]
)
def test_white_space_is_no_base(text: str) -> None:
    """A mark behind white space or a control stands by itself, and a joiner between letters joins nothing."""
    assert not any(is_inside_cluster(text, at) for at in range(len(text) + 1))


@given(st.text(st.characters() | st.sampled_from("".join(WHOLE) + "".join(BLANK)), max_size=20))
def test_blank_edges_go_and_nothing_else(text: str) -> None:
    """What is cut off is blank; what is left begins visibly, and its last character that a reader sees is visible."""
    start, end = without_blank_edges(text, 0, len(text))
    assert is_blank(text[:start])
    assert is_blank(text[end:])
    assert (start == end) == is_blank(text)
    if start < end:
        assert not is_blank(text[start])
        assert not is_blank(text[cluster_start(text, end - 1) : end])


@given(st.text(max_size=20))
def test_the_edges_of_a_text_are_never_inside_a_cluster(text: str) -> None:
    """A cut before the first or after the last character tears nothing apart."""
    assert not is_inside_cluster(text, 0)
    assert not is_inside_cluster(text, len(text))


def test_every_mark_stays_with_a_letter() -> None:
    """Whatever Unicode calls a mark is never torn from the letter before it."""
    marks = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Mn", "Me", "Mc")]
    assert all(is_inside_cluster(f"a{mark}", 1) for mark in marks)
