"""`medner exemplars` builds with a real tiny model, shows, and annotate's judge is shown what was built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

pytest.importorskip("torch")
from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.exemplars import ClusterExemplars, ClustersThenNearest
from medner.agents.exemplars.folder import ExemplarFolder
from medner.core.errors import BadInputError, UserError
from medner.core.records import Sentence, Span
from medner.service.build.exemplars import planned_exemplars
from medner.service.cli.commands import exemplars
from medner.service.config.configuration import validated
from medner.service.config.files import load_configuration
from medner.service.config.options import Overrides, configured
from tests.exemplar_corpus import SYMPTOMS, write_corpus
from tests.tiny_model import save_tiny_model


def run(*arguments: object) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    exemplars.register(app)
    return CliRunner().invoke(app, ["exemplars", *map(str, arguments)])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model's folder."""
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    """What the command wrote."""
    folder = tmp_path_factory.mktemp("exemplars")
    train = write_corpus(folder / "train.jsonl")
    result = run("build", train, "--base", base, "-o", folder / "new" / "built", "--seed", 3)
    assert result.exit_code == 0, result.exception
    return folder / "new" / "built"


def test_build_tells_what_it_did(tmp_path: Path, base: Path) -> None:
    """Counts a type on stdout; progress, and that the folder must not be passed on, on stderr."""
    train = write_corpus(tmp_path / "train.jsonl")
    result = run("build", train, "--base", base, "-o", tmp_path / "out", "--max-per-type", 6)
    assert result.exit_code == 0, result.exception
    assert "dis\t10 entities\t6 embedded\t5 exemplars" in result.stdout.splitlines()
    assert "14 distinct entities, of which 10 are embedded" in result.stderr
    assert "10 of 10 entities" in result.stderr
    assert "entities/s" in result.stderr
    assert "do not pass it on" in result.stderr
    again = run("build", train, "--base", base, "-o", tmp_path / "out")
    assert isinstance(again.exception, UserError)
    assert "is there already" in str(again.exception)


def test_the_card_names_no_place_of_this_machine(built: Path, base: Path) -> None:
    """Neither the base model's nor the data's folder is in any file."""
    for path in built.iterdir():
        assert str(base.parent).encode() not in path.read_bytes()
        assert str(built.parent).encode() not in path.read_bytes()


def test_show_prints_the_exemplars(built: Path) -> None:
    """Those of the clusters, of one type where one is asked for; JSON is on stdout alone."""
    rows = json.loads(run("show", built, "--type", "sym", "--json").stdout)
    assert {row["text"] for row in rows} == set(SYMPTOMS)
    assert set(rows[0]) == {"label", "text", "context", "distance"}
    lines = run("show", built).stdout.splitlines()
    assert len(lines) == 9
    assert lines[0].startswith("dis\t")
    wrong = run("show", built, "--type", "xyz")
    assert isinstance(wrong.exception, UserError)
    assert "there are dis, sym" in str(wrong.exception)


def test_show_finds_the_nearest(built: Path, base: Path) -> None:
    """Nearest to a text by the model the index was made with; another model is refused."""
    result = run("show", built, "--near", "咽痛", "--count", 2, "--base", base, "--json")
    rows = json.loads(result.stdout)
    assert [row["label"] for row in rows] == ["dis", "dis", "sym", "sym", "dru"]
    assert rows[0]["distance"] <= rows[1]["distance"]
    other = save_tiny_model(built.parent / "other", seed=5)
    refused = run("show", built, "--near", "咽痛", "--base", other)
    assert isinstance(refused.exception, UserError)
    assert "vectors of different models cannot be compared" in str(refused.exception)
    assert isinstance(run("show", built, "--near", " ", "--base", base).exception, UserError)


def test_a_configuration_names_the_folder(built: Path, tmp_path: Path) -> None:
    """Relative to the file; numbers are checked; `--exemplars` changes only the folder."""
    path = tmp_path / "medner.toml"
    path.write_text('[exemplars]\nfolder = "mine"\neach = 3\nnearest = 2\n', encoding="utf-8")
    chosen = load_configuration(path).exemplars
    assert chosen is not None
    assert (chosen.folder, chosen.each, chosen.nearest) == (tmp_path / "mine", 3, 2)
    changed = configured(Overrides(config=path, exemplars=built)).exemplars
    assert changed is not None
    assert (changed.folder, changed.each, changed.nearest) == (built, 3, 2)
    path.write_text('[exemplars]\nfolder = "mine"\nfar = 1\n', encoding="utf-8")
    with pytest.raises(BadInputError, match="there are folder, each, nearest, embedder"):
        load_configuration(path)


def configuration(folder: Path, *, judge: str = "select", **exemplars_: object):
    base = configured(Overrides(judge=judge)).model_dump()
    return validated({**base, "exemplars": {"folder": folder, **exemplars_}}, where="test")


async def test_the_judge_gets_clusters_then_nearest(built: Path, base: Path) -> None:
    """With `nearest` the region is embedded by the engine; without, or with a judge that asks no model, it is not."""
    from medner.agents.engines.local.engine import LocalEngine

    engine = LocalEngine.load(base)
    source = planned_exemplars(configuration(built, nearest=1), base)(engine)
    assert isinstance(source, ClustersThenNearest)
    found = await source.exemplars(Sentence("s", "有胃溃疡史。"), Span(1, 4), ["dis"])
    assert len({one.text for one in found}) == len(found) == 6
    await engine.close()
    scripted = ScriptedEngine(lambda request: "")
    for plain in (configuration(built), configuration(built, nearest=1, judge="hard-vote")):
        assert isinstance(planned_exemplars(plain, None)(scripted), ClusterExemplars)


def test_what_does_not_fit_is_refused_before_a_model_is_loaded(built: Path, base: Path, tmp_path: Path) -> None:
    """Another label set, another model, an engine without hidden states, no folder of the base model."""
    other = configuration(built).model_copy(update={"labels": "ccks2019"})
    with pytest.raises(UserError, match="these exemplars are of label set 'cmeee-v2'"):
        planned_exemplars(other, base)
    with pytest.raises(UserError, match="not with tiny"):
        planned_exemplars(configuration(built, nearest=1), save_tiny_model(tmp_path / "tiny", seed=9))
    with pytest.raises(UserError, match="nearest = 0"):
        planned_exemplars(configuration(built, nearest=1), None)
    with pytest.raises(UserError, match="no hidden states"):
        planned_exemplars(configuration(built, nearest=1), base)(ScriptedEngine(lambda request: ""))
    with pytest.raises(UserError, match="holds no exemplars"):
        planned_exemplars(configuration(tmp_path), None)


def test_a_missing_package_is_said(built: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--embedder` needs sentence-transformers; the message says so, and what works without."""
    import sys

    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    result = run("build", built.parents[1] / "train.jsonl", "--embedder", base, "-o", tmp_path / "out")
    assert isinstance(result.exception, UserError)
    assert "pip install sentence-transformers" in str(result.exception)
    assert ExemplarFolder.open(built).card.embedder == "llm"
