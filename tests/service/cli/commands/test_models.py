import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from medner.core.errors import ExternalError, UserError
from medner.service.cli.commands.models import line_report, register
from medner.store.models import PullProgress, PullStage


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.delenv("MEDNER_MODEL_SOURCE", raising=False)
    monkeypatch.setenv("MEDNER_HOME", str(tmp_path / "home"))
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return lambda *arguments: CliRunner().invoke(app, ["models", *arguments])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "usb"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["TinyForCausalLM"], "dtype": "float32"}')
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "tokenizer.json").write_text("{}")
    return folder


def test_pull_prints_the_path_alone_on_stdout(run, model, tmp_path):
    """The folder is all of stdout, so that `$(...)` works; progress is on stderr."""
    result = run("pull", "mine", "--source", str(model))
    assert result.stdout == f"{tmp_path}/home/models/mine\n"
    assert "copying" in result.stderr
    assert run("path", "mine").stdout == result.stdout


def test_without_a_name_all_that_the_default_needs_is_brought(run, tmp_path, monkeypatch):
    """A folder a line, each where it then lies; a preset may need fewer."""
    asked = []

    def pull(self, name, source, report, *, revision=None):
        asked.append((name, source))
        return tmp_path / name

    monkeypatch.setattr("medner.store.models.ModelStore.pull", pull)
    small, large = "qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-1.5b-instruct"
    assert run("pull").stdout == f"{tmp_path}/{small}\n{tmp_path}/{large}\n"
    assert run("pull", "--preset", "balanced", "--source", "index").stdout == f"{tmp_path}/{small}\n"
    assert run("pull", "--labels", "ccks2019").stdout == f"{tmp_path}/{small}\n"
    assert asked == [(small, None), (large, None), (small, "index"), (small, None)]
    assert "name it" in str(run("pull", "--revision", "abc").exception)
    for name in (small, large):
        assert f"{name} is not there; name the model" in str(run("pull", "--source", str(tmp_path)).exception)
        (tmp_path / name).mkdir()
    asked.clear()
    assert run("pull", "--source", str(tmp_path)).exit_code == 0
    assert asked == [(small, str(tmp_path / small)), (large, str(tmp_path / large))]


def test_home_option_goes_before_the_variable(run, model, tmp_path):
    """--home moves the models for one command."""
    assert run("pull", "mine", "--source", str(model), "--home", str(tmp_path / "b")).exit_code == 0
    assert (tmp_path / "b/models/mine").is_dir()
    assert isinstance(run("path", "mine").exception, UserError)


def test_list_shows_catalogue_and_store(run, model):
    """list shows what can be had and what is here, the JSON form alone on stdout."""
    run("pull", "mine", "--source", str(model))
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    assert rows["mine"]["installed"]
    assert rows["mine"]["bytes_on_disk"] > 0
    small = rows["qwen2.5-coder-0.5b-instruct"]
    assert (small["installed"], small["licence"], small["path"]) == (False, "Apache-2.0", None)
    assert small["sources"]["index"] == 491_400_064
    text = run("list").stdout
    assert "from index 0.49 GB, hub 0.99 GB" in text
    assert any(line.startswith("mine") and "here" in line for line in text.splitlines())


def test_verify_tells_a_changed_file_and_the_way_out(run, model, tmp_path):
    """A whole model is confirmed; a changed file is an error that says how to get the model anew."""
    run("pull", "mine", "--source", str(model))
    assert "all 3 files" in run("verify", "mine").stdout
    (tmp_path / "home/models/mine/config.json").write_text("{}")
    error = run("verify", "mine").exception
    assert isinstance(error, ExternalError)
    assert "config.json" in str(error)
    assert "medner models remove mine" in str(error)


def test_remove(run, model):
    """remove says what was freed; a second time there is nothing."""
    run("pull", "mine", "--source", str(model))
    assert run("remove", "mine").stdout.startswith("mine removed")
    assert isinstance(run("remove", "mine").exception, UserError)


@pytest.mark.parametrize("arguments", [("path", "gemma-3-270m"), ("pull", "no-such"), ("pull", "x", "--source", "/no")])
def test_mistakes_are_user_errors(run, arguments):
    """What the user can fix is a UserError for the command's frame to print in one line."""
    assert isinstance(run(*arguments).exception, UserError)


@pytest.mark.parametrize("command", ["list", "pull", "path", "verify", "remove"])
def test_help_has_an_example(run, command):
    """Every command's help shows how it is used."""
    assert "Example" in run(command, "--help").stdout


def test_lines_come_every_few_seconds():
    """Without a terminal a stage gives its first and last line and one every five seconds, not one a block."""
    lines: list[str] = []
    now = iter(range(1, 100))
    report = line_report(lines.append, lambda: float(next(now)))
    for done in range(0, 11):
        report(PullProgress(PullStage.DOWNLOADING, done * 1_000_000, 10_000_000, "x"))
    assert lines[0] == "downloading x: 0.0 of 10.0 MB (0%)"
    assert lines[-1] == "downloading x: 10.0 of 10.0 MB (100%)"
    assert 3 <= len(lines) <= 5
    report(PullProgress(PullStage.REMARK, detail="hub: refused"))
    assert lines[-1] == "hub: refused"
