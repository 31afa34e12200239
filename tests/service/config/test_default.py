"""The configuration without a file: what ships, by the shelf's plan, else untuned taggers."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from medner.core.choices import DEFAULT_MODEL
from medner.core.errors import BadInputError, UserError
from medner.core.labels import SHIPPED
from medner.service.build.pipeline import check_adapters
from medner.service.config.configuration import Configuration
from medner.service.config.default import default_configuration
from medner.service.config.filters.filter import TrainedFilterConfig
from medner.service.config.judges.rules import FilterScoreConfig
from medner.service.config.shelf import shipped_adapters, shipped_plan
from medner.service.config.taggers import WritingTaggerConfig


def _ship(root: Path, name: str, *, base: str = DEFAULT_MODEL) -> Path:
    folder = root / "cmeee-v2" / name
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    card = f'name = "{name}"\nbase = "{base}"\nlabels = "cmeee-v2"\nstrategy = "symbol"\ntrained_on = "something"\n'
    (folder / "card.toml").write_text(card, encoding="utf-8")
    return folder


def _names(configuration: Configuration) -> list[str]:
    return [tagger.name for tagger in configuration.taggers]


def _writing(configuration: Configuration) -> list[WritingTaggerConfig]:
    """The taggers of a configuration that has no others."""
    taggers = [tagger for tagger in configuration.taggers if isinstance(tagger, WritingTaggerConfig)]
    assert len(taggers) == len(configuration.taggers)
    return taggers


def test_without_adapters_two_untuned_taggers_are_the_default() -> None:
    """They differ in strategy and wording, and the notice says that they are not tuned."""
    configuration = default_configuration(adapters=())
    assert [(one.name, one.strategy, one.style, one.shots) for one in _writing(configuration)] == [
        ("html-full", "html", "full", 3),
        ("json-plain", "json", "plain", 3),
    ]
    assert (configuration.judge.kind, configuration.followed) == ("best-tagger", "html-full")
    assert "html-full, json-plain" in str(configuration.notice("en"))
    assert "未经微调" in str(configuration.notice("zh"))


@pytest.mark.parametrize(
    ("shipped", "expected"),
    [
        (["symbol-a"], ["symbol-a", "symbol-a-full"]),
        (["symbol-b", "symbol-a"], ["symbol-a", "symbol-b"]),
        (["a", "b", "c"], ["a", "b", "c"]),
    ],
)
def test_shipped_adapters_come_first(tmp_path: Path, shipped: list[str], expected: list[str]) -> None:
    """Tuned taggers are taken as their cards say; one alone is asked under a second prompt as well."""
    for name in shipped:
        _ship(tmp_path, name)
    configuration = default_configuration(adapters=shipped_adapters("cmeee-v2", tmp_path))
    assert _names(configuration) == expected
    first, second = _writing(configuration)[:2]
    assert (first.style, first.shots) == ("brief", 0)
    assert configuration.notice("en") is None
    assert configuration.followed == expected[0]
    if len(shipped) == 1:
        assert (second.style, second.adapter) == ("full", first.adapter)


def test_an_adapter_of_another_base_is_not_taken(tmp_path: Path) -> None:
    """An adapter fits one base model only."""
    _ship(tmp_path, "big", base="qwen2.5-coder-1.5b-instruct")
    adapters = shipped_adapters("cmeee-v2", tmp_path)
    assert _names(default_configuration(adapters=adapters)) == ["html-full", "json-plain"]
    other = default_configuration(model="qwen2.5-coder-1.5b-instruct", adapters=adapters)
    assert _names(other) == ["big", "big-full"]


def _ship_filter(root: Path, name: str) -> None:
    folder = root / "cmeee-v2" / name
    folder.mkdir(parents=True)
    folder.joinpath("card.toml").write_text(
        f'kind = "llm-cls"\nbase = "{DEFAULT_MODEL}"\nlabels = "cmeee-v2"\nthreshold = 0.4\ntemperature = 1.5\n'
    )


def test_the_shelf_says_what_the_default_is(tmp_path: Path) -> None:
    """Taggers in the order of default.toml, others left out; its filter; its judge."""
    for name in ("a", "b", "c"):
        _ship(tmp_path, name)
    _ship_filter(tmp_path, "check")
    plan = 'taggers = ["c", "a"]\nfilter = "check"\n[judge]\nkind = "filter-score"\nleast = 0.4\n'
    (tmp_path / "cmeee-v2" / "default.toml").write_text(plan)
    configuration = default_configuration(root=tmp_path)
    assert _names(configuration) == ["c", "a"]
    assert isinstance(configuration.filter, TrainedFilterConfig)
    assert (configuration.filter.kind, configuration.filter.adapter) == ("llm-cls", tmp_path / "cmeee-v2" / "check")
    assert isinstance(configuration.judge, FilterScoreConfig)
    assert (configuration.judge.kind, configuration.judge.least) == ("filter-score", 0.4)


def test_a_preset_is_another_choice_of_the_shelf(tmp_path: Path) -> None:
    """By name; an unknown one names those there are, and a label set or base without it says so."""
    for name in ("a", "b"):
        _ship(tmp_path, name)
    _ship(tmp_path, "c", base="qwen2.5-coder-1.5b-instruct")
    plan = 'taggers = ["a", "b"]\n[presets.fast]\ntaggers = ["b"]\n[presets.large]\ntaggers = ["c"]\n'
    (tmp_path / "cmeee-v2" / "default.toml").write_text(plan)
    assert _names(default_configuration(root=tmp_path)) == ["a", "b"]
    assert _names(default_configuration(root=tmp_path, preset="default")) == ["a", "b"]
    fast = default_configuration(root=tmp_path, preset="fast")
    assert (_names(fast), fast.filter, fast.judge.kind) == (["b"], None, "best-tagger")
    with pytest.raises(UserError, match="no preset 'quick'; there are default, fast, large"):
        default_configuration(root=tmp_path, preset="quick")
    with pytest.raises(UserError, match="another base model"):
        default_configuration(root=tmp_path, preset="large")
    with pytest.raises(UserError, match="the label set mine has no presets"):
        default_configuration("mine", root=tmp_path, preset="fast")


def _ship_spans(root: Path, name: str, base: str) -> None:
    card = _ship(root, name, base=base) / "card.toml"
    card.write_text(card.read_text().replace('"symbol"', '"span"'))


def test_a_preset_may_have_taggers_of_several_bases(tmp_path: Path) -> None:
    """The first one's base is the run's; the others name theirs, and the filter's table says how much each counts."""
    large = "qwen2.5-coder-1.5b-instruct"
    _ship_spans(tmp_path, "a", DEFAULT_MODEL)
    _ship_spans(tmp_path, "b", large)
    plan = 'taggers = ["a"]\n[presets.best]\ntaggers = ["a", "b"]\nfilter = {kind = "span", weights = {b = 2}}\n'
    (tmp_path / "cmeee-v2" / "default.toml").write_text(plan + '[presets.best.judge]\nkind = "filter-score"\n')
    best = default_configuration(root=tmp_path, preset="best")
    assert (best.model, best.bases) == (DEFAULT_MODEL, (large,))
    assert [(one.name, one.own_base) for one in best.taggers] == [("a", None), ("b", large)]
    assert best.filter is not None
    assert best.filter.facts()["weights"] == {"b": 2.0}
    assert best.described()["filter"] == "span, threshold 0, b counts 2"
    assert _names(default_configuration(root=tmp_path)) == ["a"]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"b": 2}, r"filter\.weights: no span tagger b is configured; there are a"),
        ({"a": 0}, r"filter\.span\.weights\.a|greater than 0"),
    ],
)
def test_weights_are_those_of_taggers_that_are_there(tmp_path: Path, weights: dict[str, float], message: str) -> None:
    """A name that is none, or a weight that is none, would silently change what counts."""
    tagger = {"name": "a", "strategy": "span", "adapter": tmp_path}
    data = {"taggers": [tagger], "filter": {"kind": "span", "weights": weights}}
    with pytest.raises(ValidationError, match=message):
        Configuration.model_validate(data)


def test_an_encoder_of_its_own_filters_for_every_base(tmp_path: Path) -> None:
    """A bert-cls filter runs beside the base model, not on it, so its card need not name the base model."""
    _ship(tmp_path, "a")
    _ship_filter(tmp_path, "check")
    folder = tmp_path / "cmeee-v2" / "check"
    card = (folder / "card.toml").read_text().replace("llm-cls", "bert-cls").replace(DEFAULT_MODEL, "new")
    (folder / "card.toml").write_text(card)
    (tmp_path / "cmeee-v2" / "default.toml").write_text('taggers = ["a"]\nfilter = "check"\n')
    chosen = default_configuration(root=tmp_path).filter
    assert isinstance(chosen, TrainedFilterConfig)
    assert (chosen.kind, chosen.adapter) == ("bert-cls", folder)


def test_a_filter_on_another_base_is_refused(tmp_path: Path) -> None:
    """Its scores would mean nothing on a model it was not trained on, as a tagger's answers would."""
    _ship(tmp_path, "a")
    _ship_filter(tmp_path, "check")
    folder = tmp_path / "cmeee-v2" / "check"
    tagger = {"name": "a", "strategy": "symbol", "adapter": tmp_path / "cmeee-v2" / "a"}
    data = {"taggers": [tagger], "filter": {"kind": "llm-cls", "adapter": folder}}
    check_adapters(Configuration.model_validate(data))
    card = folder / "card.toml"
    card.write_text(card.read_text().replace(DEFAULT_MODEL, "qwen2.5-7b-instruct"))
    with pytest.raises(UserError, match=r"check: this adapter was trained on the base model qwen2\.5-7b-instruct"):
        check_adapters(Configuration.model_validate(data))
    card.write_text(card.read_text().replace('"llm-cls"', '"bert-cls"'))
    check_adapters(Configuration.model_validate(data))


def test_a_plan_for_another_base_is_not_followed(tmp_path: Path) -> None:
    """Where a tagger of the plan does not fit the model, what fits is taken instead."""
    _ship(tmp_path, "a", base="qwen2.5-coder-1.5b-instruct")
    (tmp_path / "cmeee-v2" / "default.toml").write_text('taggers = ["a"]\n')
    assert _names(default_configuration(root=tmp_path)) == ["html-full", "json-plain"]


def test_a_broken_plan_is_named(tmp_path: Path) -> None:
    """The error names the file and the key."""
    _ship(tmp_path, "a")
    (tmp_path / "cmeee-v2" / "default.toml").write_text('taggers = ["a"]\njudges = 3\n')
    with pytest.raises(BadInputError, match=r"default\.toml.*judges"):
        default_configuration(root=tmp_path)


def test_the_adapters_in_the_package_can_be_read() -> None:
    """Whatever ships has a good card and lies in a folder."""
    assert all(one.folder.is_dir() for one in shipped_adapters("cmeee-v2"))


@pytest.mark.parametrize("labels", SHIPPED)
def test_what_ships_fits_together(labels: str) -> None:
    """The taggers and the filter that a shelf's plan names are there, for this label set and the default model."""
    plan = shipped_plan(labels)
    configuration = default_configuration(labels)
    check_adapters(configuration)
    if plan is not None:
        assert _names(configuration) == list(plan.taggers)
        assert (configuration.filter is None) == (plan.filter is None)
