"""From a filter's folder to the filter that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.agents.engines.scripted import ScriptedEngine
from medner.service.adapters import filter_card, shipped_adapters, shipped_filters
from medner.service.assembly import adapter_names, build_deps
from medner.service.config import load_configuration
from medner.service.fingerprint import fingerprint
from medner.service.overrides import Overrides, configured, read_filter
from medner.store.errors import UserError

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
    configuration = configured(Overrides(filter=str(folder), taggers="html:full"))
    names = adapter_names(configuration)
    assert names == {folder: "filter"}
    made = build_deps(configuration, ScriptedEngine(lambda _: "")).filter
    assert (made.name, made.threshold, made.temperature, made.style, made.adapter) == (
        ("mine", 0.4, 2.0, "brief", "filter")
    )
    assert configuration.described()["filter"] == "llm-causal, tuned, threshold of its card"
    other = configured(Overrides(filter=f"{folder}:0.7", taggers="html:full"))
    assert build_deps(other, ScriptedEngine(lambda _: "")).filter.threshold == 0.7


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

    def build(**options: str) -> object:
        taggers = "html:full"
        return build_deps(configured(Overrides(taggers=taggers, **options)), ScriptedEngine(lambda _: ""))

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
    tagger = '[[taggers]]\nname = "html-full"\nstrategy = "html"\n'
    config.write_text(f'{tagger}[filter]\nkind = "bert-cls"\nadapter = "{folder.name}"\n', encoding="utf-8")
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
    with pytest.raises(UserError, match="off, llm-causal, mine and the folders"):
        read_filter("yours", filters)


def test_the_fingerprint_tells_filters_apart(tmp_path: Path) -> None:
    """The files and the card's numbers count, where the folder lies does not; a stated threshold counts as said."""
    one, same = _filter(tmp_path / "one"), _filter(tmp_path / "same")
    other = _filter(tmp_path / "other", CARD.replace("0.4", "0.5"))

    def mark(said: str) -> str:
        return fingerprint(configured(Overrides(filter=said, taggers="html:full")))

    assert mark(str(one)) == mark(str(same)) == mark(f"{one}:0.4") == mark(f"{other}:0.4")
    assert len({mark(str(one)), mark(str(other)), mark("off"), mark("llm-causal")}) == 4
