"""Taggers, filters, judges and formats of another package, installed from its own folder."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import medner
from medner.core.plugins import load_plugin
from medner.service.config.configuration import validated
from medner.service.config.default import default_configuration
from medner.service.config.fingerprint import fingerprint
from medner.service.config.taggers import TaggerConfig
from medner.testing import contracts

ROOT = Path(__file__).parents[2]
WORDS = "胸痛\tsym\n血压升高\tsym\n血压\tite\n痛\tsym\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example plugin, installed into a folder by pip, offline."""
    pytest.importorskip("pip")
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "medner_example.py"):
        (source / name).write_bytes((ROOT / "examples" / "plugin" / name).read_bytes())
    target = tmp_path_factory.mktemp("site")
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--target", str(target)]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def plugin(installed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The plugin on the path, and a file of words in the working folder."""
    monkeypatch.syspath_prepend(str(installed))
    importlib.invalidate_caches()
    (tmp_path / "words.txt").write_text(WORDS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDNER_HOME", str(tmp_path / "no-model-here"))
    return tmp_path


@pytest.mark.usefixtures("plugin")
def test_a_run_of_plugins_alone_needs_no_model() -> None:
    """Tagger, filter and judge of another package annotate; no base model is loaded."""
    with medner.load(
        taggers=["plugin:dictionary:words.txt"], judge="plugin:longest", filter="plugin:short-words"
    ) as nlp:
        document = nlp.annotate("胸痛，血压升高病史。")
        assert nlp.taggers == ("dictionary",)
        assert nlp.notice is None
    assert [one.text for one in document.entities] == ["胸痛", "血压升高", "血压"]
    assert document.entities[0].score == pytest.approx(0.64)


@pytest.mark.usefixtures("plugin")
def test_a_judge_of_a_plugin_settles_conflicts() -> None:
    """Beside taggers that ship; the verdict carries its name and version."""
    from medner.testing import TAGGERS, DictionaryEngine

    engine = DictionaryEngine({"胸痛": "sym", "痛": "bod"}, only={"html": ["胸痛"], "json": ["痛"]})
    with medner.load(engine=engine, taggers=TAGGERS, judge="plugin:longest") as nlp:
        document = nlp.annotate("反复胸痛。痛。")
    (conflict,) = document.conflicts[:1]
    assert (conflict.judge, conflict.judge_version) == ("longest", "1")
    assert [(one.text, one.kept) for one in conflict.candidates] == [("胸痛", True), ("痛", False)]
    assert [one.text for one in document.entities if one.start < 4] == ["胸痛"]


@pytest.mark.parametrize(
    ("check", "name", "argument"),
    [
        (contracts.check_tagger, "dictionary", "words.txt"),
        (contracts.check_filter, "short-words", ""),
        (contracts.check_judge, "longest", ""),
    ],
)
@pytest.mark.usefixtures("plugin")
def test_the_example_keeps_the_contracts(check: Callable[..., None], name: str, argument: str) -> None:
    """The suite that other packages run on their agents."""
    check(name, argument=argument)


@pytest.mark.usefixtures("plugin")
def test_a_format_of_a_plugin(plugin: Path) -> None:
    """It is read and written by its name like one that ships, and bad records are named."""
    contracts.check_format("tab-lines")
    documents = [medner.Document("a", "患者胸痛。", (medner.Entity(2, 4, "sym"),))]
    medner.write(documents, plugin / "out.tab", format="tab-lines")
    assert medner.read(plugin / "out.tab", format="tab-lines", labels="cmeee-v2")[0].entities[0].text == "胸痛"
    (plugin / "bad.tab").write_text("a\t胸痛\t0 9 sym\n", encoding="utf-8")
    with pytest.raises(medner.BadInputError, match=r"bad\.tab:1"):
        medner.read(plugin / "bad.tab", format="tab-lines")


@pytest.mark.usefixtures("plugin")
def test_the_fingerprint_knows_package_and_file(plugin: Path) -> None:
    """Another word list is another run; runs without plugins keep the fingerprint they had."""
    data = default_configuration(adapters=()).model_dump()
    tagger = TaggerConfig.model_validate({"name": "d", "strategy": "plugin:dictionary:words.txt"})
    configuration = validated({**data, "taggers": [tagger.model_dump()]}, where="test")
    before = fingerprint(configuration)
    (plugin / "words.txt").write_text("咳嗽\tsym\n", encoding="utf-8")
    assert fingerprint(configuration) != before


WRONG = [
    ({"taggers": ["plugin:nothing"]}, "no plugin 'nothing' among the installed taggers (there are: dictionary)"),
    ({"taggers": ["plugin:dictionary"]}, "plugin:dictionary needs a file with words"),
    ({"taggers": ["plugin:dictionary:bad.txt"]}, "bad.txt:2: needs a word, a tab and one of"),
    (
        {"taggers": ["plugin:dictionary:words.txt"], "judge": "plugin:nothing"},
        "no plugin 'nothing' among the installed",
    ),
    ({"taggers": ["plugin:dictionary:words.txt"], "judge": "plugin:"}, "judge"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
@pytest.mark.usefixtures("plugin")
def test_what_is_wrong_with_a_plugin_is_said(settings: dict[str, object], message: str, plugin: Path) -> None:
    """One line, with the plugins there are."""
    (plugin / "bad.txt").write_text("胸痛\tsym\n咳嗽 sym\n", encoding="utf-8")
    with pytest.raises(medner.UserError) as told:
        medner.load(**settings)  # type: ignore[arg-type]
    assert message in str(told.value)


@pytest.mark.usefixtures("plugin")
def test_an_agent_that_breaks_the_contract_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each contract names what is broken."""
    tagger, shortness, judge = (
        load_plugin("taggers", "dictionary"),
        load_plugin("filters", "short-words"),
        load_plugin("judges", "longest"),
    )
    module = sys.modules[tagger.__module__]

    async def outside(self: object, sentence: medner.plugins.Sentence) -> object:  # type: ignore[name-defined]
        return module.TaggerOutput("under-test", "", module.Decoded((module.Entity(0, 999, "sym"),)))

    async def many(self: object, sentence: object, entities: object) -> list[float]:
        return [2.0, 2.0]

    async def nothing(self: object, case: object) -> object:
        return module.verdict(self, case, [], mode="rule").__class__("c9", (), (), "longest", "1", "rule")

    monkeypatch.setattr(module.DictionaryTagger, "tag", outside)
    monkeypatch.setattr(module.ShortWords, "score", many)
    monkeypatch.setattr(module.Longest, "judge", nothing)
    with pytest.raises(AssertionError, match="lies outside"):
        contracts.check_tagger("dictionary", argument="words.txt")
    with pytest.raises(AssertionError, match="scores for"):
        contracts.check_filter("short-words")
    with pytest.raises(AssertionError, match="every candidate"):
        contracts.check_judge("longest")
    assert shortness
    assert judge
