"""The environment variables that medner reads, and that nothing else reads them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medner.core import environment
from medner.core.environment import HOME, is_set, variable

ROOT = Path(__file__).parents[2]
NAMES = {value for name, value in vars(environment).items() if name.isupper() and isinstance(value, str)}


@pytest.mark.parametrize(("value", "read"), [("", None), ("  ", None), (" a b ", "a b")])
def test_blanks_around_a_value_do_not_count(value: str, read: str | None) -> None:
    """A blank variable is as if it were not set."""
    assert variable(HOME, {HOME: value}) == read
    assert variable(HOME, {}) is None


def test_a_variable_that_is_set_to_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`medner serve` needs a key as soon as the variable of the keys' file is there."""
    monkeypatch.setenv(HOME, "")
    assert is_set(HOME)
    monkeypatch.delenv(HOME)
    assert not is_set(HOME)


def test_no_other_module_looks_up_a_variable_of_medner() -> None:
    """One module reads them all."""
    looked_up = re.compile(r"environ\w*(?:\.get\(|\[)\s*[\"']MEDNER_")
    packages = ("agents", "core", "evaluation", "graph", "service", "store", "training")
    assert not [
        path
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if looked_up.search(path.read_text("utf-8"))
    ]


@pytest.mark.parametrize("name", ["operations.md", "operations.zh-CN.md"])
def test_every_variable_is_documented(name: str) -> None:
    """docs/operations.md has a row for each, in both languages."""
    page = (ROOT / "docs" / name).read_text("utf-8")
    assert {each for each in NAMES if f"| `{each}` |" not in page} == set()
