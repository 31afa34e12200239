"""From a filter's folder to the filter that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.agents.engines.composite import CompositeEngine
from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.engines.vllm.engine import VllmEngine
from medner.agents.filters import CausalFilter, ServedClassifierFilter, SpanFilter
from medner.core.errors import UserError
from medner.service.build.pipeline import adapter_names, build_deps
from medner.service.build.run_engines import needs_local
from medner.service.config.cards import filter_card
from medner.service.config.files import load_configuration
from medner.service.config.filters.span import SpanFilterConfig
from medner.service.config.fingerprint import fingerprint
from medner.service.config.judges import read_judge
from medner.service.config.judges.rules import FilterScoreConfig
from medner.service.config.options import Overrides, configured, read_filter
from medner.service.config.shelf import shipped_adapters, shipped_filters
from tests.agents.engines.vllm.play import Play, pool_of


class EncodingScript(ScriptedEngine):
    """A scripted engine that claims to give hidden states; nobody asks it for any here."""

    def tokens(self, text: str) -> list[int]:
        raise NotImplementedError

    def token_bytes(self, token: int) -> bytes:
        raise NotImplementedError

    async def encode(self, tokens, *, shared=0, adapter=None, two_way_from=None, layers=None):
        raise NotImplementedError


CARD = """name = "mine"
kind = "llm-causal"
base = "qwen2.5-coder-0.5b-instruct"
labels = "cmeee-v2"
threshold = 0.4
temperature = 2.0
scores = ["for readers"]
"""


def _filter(folder: Path, card: str = CARD) -> Path:
    folder.mkdir(parents=True)
    (folder / "card.toml").write_text(card, encoding="utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"")
    return folder


def test_a_folder_becomes_the_filter_its_card_says(tmp_path: Path) -> None:
    """Kind, threshold and temperature come from the card, the adapter is loaded beside the taggers'."""
    folder = _filter(tmp_path / "run")
    configuration = configured(Overrides(filter=str(folder), taggers="html:full", judge="best-tagger"))
    names = adapter_names(configuration)
    assert names == {folder: "filter"}
    made = build_deps(configuration, ScriptedEngine(lambda _: "")).filter
    assert isinstance(made, CausalFilter)
    assert (made.name, made.threshold, made.temperature, made.style, made.adapter) == (
        ("mine", 0.4, 2.0, "brief", "filter")
    )
    assert configuration.described()["filter"] == "llm-causal, tuned, threshold of its card"
    other = configured(Overrides(filter=f"{folder}:0.7", taggers="html:full", judge="best-tagger"))
    stricter = build_deps(other, ScriptedEngine(lambda _: "")).filter
    assert stricter is not None
    assert stricter.threshold == 0.7


def test_a_tagger_named_filter_keeps_its_name(tmp_path: Path) -> None:
    """Two adapters never get one name in the engine."""
    tagger, mine = tmp_path / "tagger", _filter(tmp_path / "run")
    file = tmp_path / "c.toml"
    file.write_text(
        f'[[taggers]]\nname = "filter"\nstrategy = "html"\nadapter = "{tagger.name}"\n'
        f'[filter]\nadapter = "{mine.name}"\n',
        encoding="utf-8",
    )
    assert adapter_names(load_configuration(file)) == {tagger: "filter", mine: "filter1"}


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    """Another label set, another kind, an engine without hidden states, a tagger's folder, no folder at all."""

    def build(*, filter: str, labels: str | None = None) -> object:  # noqa: A002  the option's name
        options = Overrides(taggers="html:full", filter=filter, labels=labels, judge="best-tagger")
        return build_deps(configured(options), ScriptedEngine(lambda _: ""))

    folder = _filter(tmp_path / "run")
    with pytest.raises(UserError, match="label set cmeee-v2, not ccks2019"):
        build(filter=str(folder), labels="ccks2019")
    classifier = _filter(tmp_path / "cls", CARD.replace("llm-causal", "llm-cls"))
    with pytest.raises(UserError, match="no hidden states"):
        build(filter=str(classifier))
    tagger = _filter(tmp_path / "tagger", 'base = "b"\nlabels = "cmeee-v2"\nstrategy = "json"\n')
    with pytest.raises(UserError, match="tagger's card"):
        build(filter=str(tagger))
    with pytest.raises(UserError, match="medner train filter writes"):
        build(filter=str(tmp_path / "nothing"))
    config = tmp_path / "c.toml"
    table = '[[taggers]]\nname = "html-full"\nstrategy = "html"\n'
    config.write_text(f'{table}[filter]\nkind = "bert-cls"\nadapter = "{folder.name}"\n', encoding="utf-8")
    with pytest.raises(UserError, match="set kind to what its card says"):
        build_deps(load_configuration(config), ScriptedEngine(lambda _: ""))
    config.write_text('[filter]\nkind = "llm-cls"\n', encoding="utf-8")
    with pytest.raises(UserError, match="llm-cls needs the folder"):
        load_configuration(config)
    broken = _filter(tmp_path / "broken", CARD.replace("2.0", "0.0"))
    with pytest.raises(UserError, match=r"card.toml \[temperature\]"):
        filter_card(broken)


def test_shipped_filters_lie_beside_taggers(tmp_path: Path) -> None:
    """A filter is never taken for a tagger; --filter takes it by its name."""
    _filter(tmp_path / "cmeee-v2" / "one")
    _filter(tmp_path / "cmeee-v2" / "two", 'base = "b"\nlabels = "cmeee-v2"\nstrategy = "json"\n')
    filters = shipped_filters("cmeee-v2", tmp_path)
    assert [one.card.name for one in filters] == ["mine"]
    assert [one.card.name for one in shipped_adapters("cmeee-v2", tmp_path)] == ["two"]
    assert read_filter("mine:0.9", filters) == {"kind": "llm-causal", "adapter": filters[0].folder, "threshold": 0.9}
    with pytest.raises(UserError, match="off, llm-causal, span, mine and the folders"):
        read_filter("yours", filters)


def test_the_fingerprint_tells_filters_apart(tmp_path: Path) -> None:
    """The files and the card's numbers count, where the folder lies does not; a stated threshold counts as said."""
    one, same = _filter(tmp_path / "one"), _filter(tmp_path / "same")
    other = _filter(tmp_path / "other", CARD.replace("0.4", "0.5"))

    def mark(said: str) -> str:
        return fingerprint(configured(Overrides(filter=said, taggers="html:full")))

    assert mark(str(one)) == mark(str(same)) == mark(f"{one}:0.4") == mark(f"{other}:0.4")
    assert len({mark(str(one)), mark(str(other)), mark("off"), mark("llm-causal")}) == 4


EXPORT = """name = "mine"
kind = "llm-cls"
base = "qwen2.5-coder-0.5b-instruct"
labels = "cmeee-v2"
threshold = 0.3
temperature = 2.0
bias = -0.25
sha256 = "00"
"""


def _on_servers(folder: Path, engine: str = '[engine]\nkind = "vllm"\nservers = [{url = "http://127.0.0.1:1"}]\n'):
    file = folder.parent / "c.toml"
    file.write_text(
        f'[[taggers]]\nname = "html"\nstrategy = "html"\n[filter]\nkind = "llm-cls"\nexported = "{folder.name}"\n'
        + engine,
        encoding="utf-8",
    )
    return load_configuration(file)


def test_an_exported_filter_is_asked_on_servers(tmp_path: Path) -> None:
    """Threshold, temperature and bias come from export.toml; nothing of it is loaded in this process."""
    folder = tmp_path / "exported"
    folder.mkdir()
    (folder / "export.toml").write_text(EXPORT, encoding="utf-8")
    configuration = _on_servers(folder)
    assert adapter_names(configuration) == {}
    assert not needs_local(configuration)
    made = build_deps(
        configuration, CompositeEngine(VllmEngine(pool_of(Play()), base="base"), EncodingScript(lambda _: ""))
    ).filter
    assert isinstance(made, ServedClassifierFilter)
    assert (made.model, made.bias, made.threshold, made.temperature) == ("cmeee-v2.llm-cls", -0.25, 0.3, 2.0)
    before = fingerprint(configuration)
    (folder / "export.toml").write_text(EXPORT.replace('"00"', '"01"'), encoding="utf-8")
    assert fingerprint(configuration) != before


def test_an_exported_filter_needs_servers_and_its_facts(tmp_path: Path) -> None:
    """The message names the key and the way out."""
    folder = tmp_path / "exported"
    folder.mkdir()
    with pytest.raises(UserError, match=r"runs on a vLLM server"):
        _on_servers(folder, engine="")
    with pytest.raises(UserError, match=r"no export\.toml"):
        build_deps(_on_servers(folder), ScriptedEngine(lambda _: ""))
    (folder / "export.toml").write_text(EXPORT, encoding="utf-8")
    with pytest.raises(UserError, match="no servers that classify"):
        build_deps(_on_servers(folder), ScriptedEngine(lambda _: ""))


def test_span_taggers_are_a_filter_together() -> None:
    """`--filter span` needs no folder: its probability is that of the span taggers; by itself it drops nothing."""
    configuration = configured(Overrides(filter="span", judge="filter-score:0.4", taggers="span-8,symbol"))
    assert configuration.described()["filter"] == "span, threshold 0"
    assert isinstance(configuration.judge, FilterScoreConfig)
    assert configuration.judge.least == 0.4
    assert set(adapter_names(configuration).values()) == {"span-8", "symbol"}
    made = build_deps(configuration, EncodingScript(lambda _: "")).filter
    assert isinstance(made, SpanFilter)
    assert made.threshold == 0.0
    assert [tagger.name for tagger in made.taggers] == ["span-8"]
    chosen = configured(Overrides(filter="span:0.3", taggers="span-8")).filter
    assert isinstance(chosen, SpanFilterConfig)
    assert chosen.threshold == 0.3
    with pytest.raises(UserError, match="none is configured"):
        configured(Overrides(filter="span", taggers="symbol", judge="hard-vote"))


@pytest.mark.parametrize("said", ["filter-score:x", "filter-score:1.5", "filter-score:"])
def test_a_least_probability_is_one(said: str) -> None:
    """What it may be is said."""
    with pytest.raises(UserError, match="--judge"):
        read_judge(said)


def test_a_default_made_of_spans_gives_way_to_other_taggers(tmp_path: Path) -> None:
    """`--taggers symbol` alone drops the default's span filter and the judge that goes by its scores; in a file or
    said by an option they are the user's, and the error stands."""
    default = configured(Overrides())
    assert default.filter is not None
    assert (default.filter.kind, default.judge.kind) == ("span", "evidence")
    alone = configured(Overrides(taggers="symbol"))
    assert (alone.filter, alone.judge.kind) == (None, "best-tagger")
    both = configured(Overrides(taggers="span-8,symbol"))
    assert both.filter is not None
    assert both.filter.kind == "span"
    file = tmp_path / "mine.toml"
    file.write_text('[filter]\nkind = "span"\n', encoding="utf-8")
    with pytest.raises(UserError, match="none is configured"):
        configured(Overrides(config=file, taggers="symbol", judge="hard-vote"))
