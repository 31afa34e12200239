"""`medner labels` lists, shows and checks."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from medner.core.errors import UserError
from medner.core.labels import SHIPPED, load_label_set
from medner.service.cli.commands import labels


def run(*arguments: object) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    labels.register(app)
    return CliRunner().invoke(app, ["labels", *map(str, arguments)])


def test_list_names_the_shipped_sets() -> None:
    """Every shipped set is a line, and an element of the JSON."""
    assert all(name in run("list").stdout for name in SHIPPED)
    assert [one["name"] for one in json.loads(run("list", "--json").stdout)] == list(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_show_has_every_type(name: str) -> None:
    """Codes, Chinese names, definitions and the rule for edges are there, as text and as JSON."""
    printed, data = run("show", name).stdout, json.loads(run("show", name, "--json").stdout)
    for one in load_label_set(name).types:
        assert f"{one.code}\t{one.name}\t{one.definition}" in printed
        assert {"code": one.code, "name": one.name, "definition": one.definition} in data["types"]
    assert "No entity begins or ends with: white space, any of ，," in printed
    assert load_label_set(name).nesting.in_words() in printed
    assert data["edges"]["words"] == ["的"]


def test_the_printed_toml_passes_the_check(tmp_path: Path) -> None:
    """`show --toml` gives a file that `check` calls good."""
    path = tmp_path / "mine.toml"
    path.write_text(run("show", "cmeee-v2", "--toml").stdout, encoding="utf-8")
    result = run("check", path)
    assert result.exit_code == 0
    assert "9 types" in result.stdout
    assert json.loads(run("check", path, "--json").stdout)["types"][0] == "dis"


def test_a_bad_set_is_a_users_error(tmp_path: Path) -> None:
    """The fault is named with the file."""
    path = tmp_path / "mine.toml"
    path.write_text('name = "x"\ntypes = []\n', encoding="utf-8")
    error = run("check", path).exception
    assert isinstance(error, UserError)
    assert str(error).startswith(f"{path}: types")
    assert isinstance(run("show", "--toml", "--json").exception, UserError)
    assert isinstance(run("show", "nothing").exception, UserError)
