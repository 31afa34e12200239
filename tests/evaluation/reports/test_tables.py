"""Columns of plain text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medner.evaluation.reports.tables import printable, table, width


def test_chinese_takes_two_places() -> None:
    """Han, full-width marks and rare Han characters are wide; combining marks take no place."""
    assert width("疾病 dis") == 8
    assert width("，𠮷") == 4
    assert width("e\u0301") == 1


def test_columns_are_aligned_with_chinese_in_them() -> None:
    """The second column starts at the same place in each line."""
    assert table(("type", "n"), [("疾病", "12"), ("x", "3")]) == "type   n\n疾病  12\nx      3"


def test_control_characters_cannot_leave_their_cell() -> None:
    """Line ends, escapes and direction marks become visible or harmless."""
    assert printable("a\nb\x1b[31m\u202e\x7f") == "a␊b␛[31m��"


@given(st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6)), max_size=5))
def test_any_text_makes_one_line_a_row(rows: list[tuple[str, str]]) -> None:
    """Whatever a cell holds, the table has a line for the header and one for each row."""
    lines = table(("a", "b"), rows)
    assert len(lines.split("\n")) == 1 + len(rows)
    assert len((lines + "|").splitlines()) == 1 + len(rows)
