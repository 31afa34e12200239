"""Configurations: the default one, files, options, and what their errors say."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.service.adapters import shipped_adapters, shipped_plan
from medner.service.assembly import check_adapters
from medner.service.config import (
    DEFAULT_MODEL,
    Configuration,
    ExemplarsConfig,
    default_configuration,
    load_configuration,
)
from medner.service.fingerprint import fingerprint
from medner.service.overrides import Overrides, configured, read_taggers
from medner.store.errors import BadInputError, UserError
from medner.store.labels import SHIPPED, label_set_toml

EXAMPLE = Path(__file__).parents[2] / "examples" / "configuration.toml"


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


def test_without_adapters_two_untuned_taggers_are_the_default() -> None:
    """They differ in strategy and wording, and the notice says that they are not tuned."""
    configuration = default_configuration(adapters=())
    assert [(one.name, one.strategy, one.style, one.shots) for one in configuration.taggers] == [
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
    assert (configuration.taggers[0].style, configuration.taggers[0].shots) == ("brief", 0)
    assert configuration.notice("en") is None
    assert configuration.followed == expected[0]
    if len(shipped) == 1:
        first, second = configuration.taggers
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
    assert configuration.filter is not None
    assert (configuration.filter.kind, configuration.filter.adapter) == ("llm-cls", tmp_path / "cmeee-v2" / "check")
    assert (configuration.judge.kind, configuration.judge.least) == ("filter-score", 0.4)


def test_an_encoder_of_its_own_filters_for_every_base(tmp_path: Path) -> None:
    """A bert-cls filter runs beside the base model, not on it, so its card need not name the base model."""
    _ship(tmp_path, "a")
    _ship_filter(tmp_path, "check")
    folder = tmp_path / "cmeee-v2" / "check"
    card = (folder / "card.toml").read_text().replace("llm-cls", "bert-cls").replace(DEFAULT_MODEL, "new")
    (folder / "card.toml").write_text(card)
    (tmp_path / "cmeee-v2" / "default.toml").write_text('taggers = ["a"]\nfilter = "check"\n')
    chosen = default_configuration(root=tmp_path).filter
    assert chosen is not None
    assert (chosen.kind, chosen.adapter) == ("bert-cls", folder)


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


def test_a_file_can_leave_the_default_filter_out(tmp_path: Path) -> None:
    """TOML has no null, so a word says it; a judge that needs scores goes with it."""
    path = tmp_path / "c.toml"
    path.write_text('filter = "off"\n')
    configuration = load_configuration(path)
    assert configuration.filter is None
    assert configuration.judge.kind != "filter-score"


def test_an_adapter_for_something_else_is_refused(tmp_path: Path) -> None:
    """Before a model is loaded: another label set, another base."""
    folder = _ship(tmp_path, "a")
    (tagger,) = read_taggers(str(folder), ())
    base = default_configuration(adapters=()).model_copy(update={"taggers": (tagger,)})
    check_adapters(base)
    with pytest.raises(UserError, match="label set cmeee-v2, not ccks2019"):
        check_adapters(base.model_copy(update={"labels": "ccks2019"}))
    with pytest.raises(UserError, match=r"not on qwen2\.5-coder-1\.5b-instruct"):
        check_adapters(base.model_copy(update={"model": "qwen2.5-coder-1.5b-instruct"}))


def test_the_example_file_is_valid() -> None:
    """The example in the documentation loads; paths in it count from its folder."""
    configuration = load_configuration(EXAMPLE)
    assert len(configuration.taggers) == 2
    assert configuration.filter is not None


def test_paths_in_a_file_count_from_its_folder(tmp_path: Path) -> None:
    """labels, model and adapter; names stay names. Taggers that are left out are the default ones."""
    path = tmp_path / "c.toml"
    path.write_text(
        'labels = "./mine.toml"\nmodel = "../base"\n[[taggers]]\nname="a"\nstrategy="html"\nadapter="ad"\n',
        encoding="utf-8",
    )
    configuration = load_configuration(path)
    assert configuration.labels == str(tmp_path / "mine.toml")
    assert configuration.model == str(tmp_path / "../base")
    assert configuration.taggers[0].adapter == tmp_path / "ad"
    path.write_text("max_chars = 100\n", encoding="utf-8")
    assert _names(load_configuration(path)) == _names(default_configuration())


TAGGER = '[[taggers]]\nname = "a"\nstrategy = "html"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_char = 3\n", "[max_char]: unknown key; there are labels, model, taggers"),
        ('[[taggers]]\nname = "a"\nstrategy = "xml"\n', "[taggers.0.strategy]: Input should be 'symbol', 'json'"),
        (TAGGER + "shot = 1\n", "[taggers.0.shot]: unknown key; there are name, strategy, style"),
        (TAGGER + TAGGER, "[taggers]: every tagger needs a name of its own"),
        ("taggers = []\n", "[taggers]: "),
        ("taggers = 3\n", "[taggers]: "),
        ("min_taggers = 2\n" + TAGGER, "[min_taggers]: must be at most 1"),
        (TAGGER + '[judge]\ntagger = "b"\n', "[judge.tagger]: best-tagger needs the name of a tagger: a"),
        (TAGGER + '[judge]\nkind = "select"\ntagger = "a"\n', "[judge.tagger]: only best-tagger"),
        (TAGGER + "[filter]\nthreshold = 2\n", "[filter.threshold]: Input should be less than or equal to 1"),
        (TAGGER + "[filter]\nlevel = 2\n", "[filter.level]: unknown key; there are kind, threshold"),
        ("labels = 3\n", "[labels]: "),
        ("= 3\n", "not valid TOML"),
    ],
)
def test_an_error_names_file_key_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    """The message is enough to mend the file."""
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError) as caught:
        load_configuration(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_default_taggers_are_those_of_the_options_label_set_and_model(tmp_path: Path) -> None:
    """A file that names no taggers gets those of what is annotated in the end, not of the label set it was read for."""
    path = tmp_path / "c.toml"
    path.write_text("max_chars = 100\n", encoding="utf-8")
    for chosen in ({"labels": "ccks2019"}, {"model": "another-model"}):
        configuration = configured(Overrides(config=path, **chosen))
        assert configuration.taggers == configured(Overrides(**chosen)).taggers
        assert configuration.taggers == default_configuration(configuration.labels, model=configuration.model).taggers
        assert configuration.max_chars == 100


def test_options_override_the_file(tmp_path: Path) -> None:
    """Taggers by name or as STRATEGY:STYLE, judge, filter, and the single values."""
    path = tmp_path / "c.toml"
    path.write_text("max_chars = 100\nmin_taggers = 2\n", encoding="utf-8")
    configuration = configured(
        Overrides(
            path, "ccks2019", "./m", "json:plain，symbol:brief, html:full", "best-tagger:html-full", "llm-causal:0.3"
        )
    )
    assert _names(configuration) == ["json-plain", "symbol-brief", "html-full"]
    assert configuration.taggers[1].shots == 0
    assert (configuration.labels, configuration.model, configuration.max_chars) == ("ccks2019", "./m", 100)
    assert configuration.judge.tagger == "html-full"
    assert configuration.filter is not None
    assert configuration.filter.threshold == 0.3
    assert configured(Overrides(filter="off")).filter is None
    assert configured(Overrides(filter="llm-causal")).filter is not None


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (Overrides(taggers="html:long"), "strategies: symbol, json, html, index; styles: brief, full, plain"),
        (Overrides(taggers="html:full,html:full"), "a name of its own"),
        (Overrides(judge="jury"), "hard-vote, filter-score, best-tagger"),
        (Overrides(judge="best-tagger:"), "best-tagger:NAME"),
        (Overrides(judge="best-tagger:me", taggers="html:full,json:plain"), "html-full, json-plain"),
        (Overrides(judge="select:html-full"), "select:PROVIDER:MODEL"),
        (Overrides(filter="on"), "off, llm-causal"),
        (Overrides(filter="llm-causal:high"), "from 0 to 1"),
        (Overrides(filter="llm-causal:7"), "less than or equal to 1"),
        (Overrides(max_chars=0), "max_chars"),
        (Overrides(config=Path("none.toml")), "none.toml: cannot be read"),
    ],
)
def test_a_wrong_option_says_what_there_is(overrides: Overrides, said: str) -> None:
    """Wrong options are UserErrors with the allowed values."""
    with pytest.raises(UserError) as caught:
        configured(overrides)
    assert said in str(caught.value)


def test_the_fingerprint_changes_with_what_changes_an_answer(tmp_path: Path) -> None:
    """Not with speed, nor with where an adapter lies; but with its bytes, the label set's content and the model's."""
    base = default_configuration(adapters=())
    assert fingerprint(base) == fingerprint(base.model_copy(update={"concurrency": 2, "max_rows": 1}))
    marks = {fingerprint(base)}
    for change in ({"max_chars": 99}, {"taggers": base.taggers[:1]}, {"labels": "ccks2019"}, {"model": "other"}):
        marks.add(fingerprint(base.model_copy(update=change)))
    assert len(marks) == 5
    tuned = []
    for place, weights in (("one", b"a"), ("two", b"a"), ("three", b"b")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "adapter_model.safetensors").write_bytes(weights)
        tagger = base.taggers[0].model_copy(update={"adapter": tmp_path / place})
        tuned.append(fingerprint(base.model_copy(update={"taggers": (tagger,)})))
    assert tuned[0] == tuned[1] != tuned[2]
    assert fingerprint(base, tmp_path / "one") != fingerprint(base, tmp_path / "three")


def test_the_fingerprint_reads_the_label_set(tmp_path: Path) -> None:
    """A definition that changes changes the prompts, so it changes the fingerprint."""
    path = tmp_path / "mine.toml"
    path.write_text(label_set_toml("cmeee-v2"), encoding="utf-8")
    base = default_configuration(str(path))
    before = fingerprint(base)
    path.write_text(label_set_toml("cmeee-v2").replace("疾病", "病症"), encoding="utf-8")
    assert fingerprint(base) != before


def test_rebuilt_exemplars_give_another_fingerprint(tmp_path: Path) -> None:
    """A folder that was built anew in the same place is another; the same content elsewhere is the same."""

    def marked(folder: Path, text: str) -> str:
        folder.mkdir(exist_ok=True)
        (folder / "exemplars.jsonl").write_text(text, encoding="utf-8")
        return fingerprint(
            default_configuration(adapters=()).model_copy(update={"exemplars": ExemplarsConfig(folder=folder)})
        )

    first = marked(tmp_path / "one", "咳嗽")
    assert marked(tmp_path / "two", "咳嗽") == first
    assert marked(tmp_path / "one", "发热") != first
