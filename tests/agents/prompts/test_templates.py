"""The judges' questions as files: what ships, what a user's own must hold, and that what is put in stays put."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.agents.prompts.templates import NEWEST, Mode, load_template, shipped_templates
from medner.core.errors import BadInputError, UserError


def test_every_shipped_template_is_whole() -> None:
    """Each file is named after its version, and the newest of each manner are there."""
    for version in shipped_templates():
        mode: Mode = "rewrite" if version.startswith("rewrite") else "select"
        assert load_template(mode, version).version == version
    assert {version for manners in NEWEST.values() for version in manners.values()} <= set(shipped_templates())


def test_what_is_put_in_is_not_looked_at_again() -> None:
    """A sentence that holds a place's name stays as it is."""
    template = load_template("select")
    _, user = template.filled({"types": "t", "sentence": "{conflicts} {none}", "conflicts": "c"})
    assert "句子：{conflicts} {none}\n" in user


def test_a_template_of_ones_own(tmp_path: Path) -> None:
    """A file with a version and the places that a question needs."""
    path = tmp_path / "mine.toml"
    path.write_text('version = "mine-1"\nmode = "select"\nsystem = "s"\nuser = "{sentence}{conflicts}"\n', "utf-8")
    assert load_template("select", str(path)).version == "mine-1"
    with pytest.raises(UserError, match="is for a select judge"):
        load_template("rewrite", str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('version = "m"\nmode = "select"\nsystem = ""\nuser = "{sentence}"', r"lacks \{conflicts\}"),
        ('version = "m"\nmode = "rewrite"\nsystem = ""\nuser = "{sentence}{conflicts}"', r"lacks \{stretch\}"),
        ('version = "m"\nmode = "select"\nsystem = "{votes}"\nuser = "{sentence}{conflicts}"', "unknown place {votes}"),
        ('version = "m"\nmode = "jury"\nsystem = ""\nuser = ""', "mode"),
        ("version = ", "not valid TOML"),
    ],
)
def test_a_broken_template_is_told_of(tmp_path: Path, content: str, message: str) -> None:
    """File and reason."""
    path = tmp_path / "mine.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadInputError, match=message):
        load_template("select", str(path))


def test_an_unknown_name_lists_what_there_is() -> None:
    """Names, manners, or a file."""
    with pytest.raises(UserError, match="select-direct-2"):
        load_template("select", "direkt")
