"""Label sets load, resolve and refuse."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.edges import Edges
from medner.core.errors import UserError
from medner.core.labels import SHIPPED, label_set_toml, load_label_set, parse_label_set

_TYPE = '[[types]]\ncode = "{code}"\nname = "{name}"\ndefinition = "甲"\n'


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_sets_resolve_codes_and_names(name: str) -> None:
    """Every code and every Chinese name of a type means that type."""
    labels = load_label_set(name)
    for one in labels.types:
        assert labels.resolve(one.code) == labels.resolve(one.name) == one.code
        assert labels.type_of(one.code) is one
        assert one.code in labels
    assert labels.resolve("没有") is None
    assert "没有" not in labels


def test_the_shipped_sets_are_the_tasks() -> None:
    """CMeEE-V2 has nine nested types, CCKS2019 six flat ones."""
    assert (len(load_label_set("cmeee-v2").types), load_label_set("cmeee-v2").nested) == (9, True)
    assert (len(load_label_set("ccks2019").types), load_label_set("ccks2019").nested) == (6, False)
    assert (load_label_set("cmeee-v2").outer, load_label_set("ccks2019").outer) == (("sym",), None)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_printed_set_is_a_set_of_ones_own(name: str, tmp_path: Path) -> None:
    """The TOML of a shipped set, saved to a file (with a byte order mark, too), loads equal."""
    path = tmp_path / "mine.toml"
    path.write_text(label_set_toml(name), encoding="utf-8-sig")
    assert load_label_set(path) == load_label_set(name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name = ", "not valid TOML"),
        ('name = "x"\ntypes = []', "types"),
        ('name = "x"\ncolour = 1\n' + _TYPE.format(code="a", name="甲"), "colour"),
        (
            'name = "x"\nedges = {marks = "，a"}\n' + _TYPE.format(code="a", name="甲"),
            "edges.marks: 'a' is no punctuation",
        ),
        ('name = "x"\nedges = {words = ["的", " "]}\n' + _TYPE.format(code="a", name="甲"), "edges.words"),
        ('name = "x"\nedges = {abbreviations = ["sp."]}\n' + _TYPE.format(code="a", name="甲"), "edges.abbreviations"),
        ('name = "x"\nedges = {mark = "，"}\n' + _TYPE.format(code="a", name="甲"), "edges.mark"),
        (
            'name = "x"\nnesting = {outer = ["b"]}\n' + _TYPE.format(code="a", name="甲"),
            "nesting.outer: there is no type",
        ),
        ('name = "x"\nnested = false\nnesting = {outer = ["a"]}\n' + _TYPE.format(code="a", name="甲"), "is flat"),
        ('name = "x"\nnesting = {inner = ["a"]}\n' + _TYPE.format(code="a", name="甲"), "nesting.inner|nesting.outer"),
        ('name = "x"\n' + _TYPE.format(code="a b", name="甲"), "types.0.code"),
        ('name = "x"\n' + _TYPE.format(code="a", name="甲[乙]"), "types.0.name"),
        ('name = "x"\n' + _TYPE.format(code="a", name="甲") * 2, "more than once"),
        ('name = "x"\n' + _TYPE.format(code="a", name="b") + _TYPE.format(code="b", name="乙"), "both a code"),
    ],
)
def test_a_bad_set_names_file_and_fault(text: str, reason: str) -> None:
    """The message begins with the file and says what is wrong."""
    with pytest.raises(UserError, match=reason) as caught:
        parse_label_set(text, where="mine.toml")
    assert str(caught.value).startswith("mine.toml")


def test_a_set_says_where_entities_may_begin_and_end() -> None:
    """Without the table a set has the shipped rule; a key that is given replaces its default."""
    plain = 'name = "x"\n' + _TYPE.format(code="a", name="甲")
    own = 'name = "x"\nedges = {words = [], abbreviations = ["No"]}\n' + _TYPE.format(code="a", name="甲")
    assert all(load_label_set(name).edges == Edges() for name in SHIPPED)
    assert parse_label_set(plain, where="x").edges == Edges()
    assert parse_label_set(own, where="x").edges == Edges(words=(), abbreviations=("no",))


def test_a_missing_or_unreadable_set_says_the_way_out(tmp_path: Path) -> None:
    """An unknown name lists the shipped ones; a file that is not UTF-8 says so."""
    with pytest.raises(UserError, match="cmeee-v2, ccks2019"):
        load_label_set("nothing")
    path = tmp_path / "mine.toml"
    path.write_bytes("name = '疾病'".encode("gb18030"))
    with pytest.raises(UserError, match="UTF-8"):
        load_label_set(path)


@given(st.sampled_from(SHIPPED), st.text())
def test_unknown_codes_are_refused(name: str, code: str) -> None:
    """A code is in the set, or asking for its type is a user's error."""
    labels = load_label_set(name)
    if code not in labels:
        with pytest.raises(UserError, match="has no type"):
            labels.type_of(code)
