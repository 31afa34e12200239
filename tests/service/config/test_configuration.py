"""Configurations: options over a file or the default, whom an adapter fits, fingerprints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medner.core.choices import DEFAULT_MODEL
from medner.core.errors import UserError
from medner.core.labels import label_set_toml
from medner.service.build.pipeline import check_adapters
from medner.service.config.configuration import ExemplarsConfig
from medner.service.config.default import default_configuration
from medner.service.config.filters.filter import TrainedFilterConfig
from medner.service.config.fingerprint import fingerprint
from medner.service.config.judges import BestTaggerConfig
from medner.service.config.options import Overrides, configured, read_taggers
from medner.service.config.taggers import WritingTaggerConfig


def test_an_adapter_for_something_else_is_refused(tmp_path: Path) -> None:
    """Before a model is loaded: another label set, another base."""
    folder = tmp_path / "a"
    folder.mkdir()
    card = f'base = "{DEFAULT_MODEL}"\nlabels = "cmeee-v2"\nstrategy = "symbol"\n'
    (folder / "card.toml").write_text(card, encoding="utf-8")
    (tagger,) = read_taggers(str(folder), ())
    base = default_configuration(adapters=()).model_copy(update={"taggers": (tagger,)})
    check_adapters(base)
    with pytest.raises(UserError, match="label set cmeee-v2, not ccks2019"):
        check_adapters(base.model_copy(update={"labels": "ccks2019"}))
    with pytest.raises(UserError, match=r"not on qwen2\.5-coder-1\.5b-instruct"):
        check_adapters(base.model_copy(update={"model": "qwen2.5-coder-1.5b-instruct"}))


def test_default_taggers_are_those_of_the_options_label_set_and_model(tmp_path: Path) -> None:
    """A file that names no taggers gets those of what is annotated in the end, not of the label set it was read for."""
    path = tmp_path / "c.toml"
    path.write_text("max_chars = 100\n", encoding="utf-8")
    for chosen in (Overrides(labels="ccks2019"), Overrides(model="another-model")):
        configuration = configured(replace(chosen, config=path))
        assert configuration.taggers == configured(chosen).taggers
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
    assert [tagger.name for tagger in configuration.taggers] == ["json-plain", "symbol-brief", "html-full"]
    assert isinstance(configuration.taggers[1], WritingTaggerConfig)
    assert configuration.taggers[1].shots == 0
    assert (configuration.labels, configuration.model, configuration.max_chars) == ("ccks2019", "./m", 100)
    assert isinstance(configuration.judge, BestTaggerConfig)
    assert configuration.judge.tagger == "html-full"
    assert isinstance(configuration.filter, TrainedFilterConfig)
    assert configuration.filter.threshold == 0.3
    assert configured(Overrides(filter="off")).filter is None
    assert configured(Overrides(filter="llm-causal")).filter is not None


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (Overrides(taggers="html:long"), "strategies: symbol, json, html, index; styles: brief, full, plain"),
        (Overrides(taggers="html:full,html:full"), "a name of its own"),
        (Overrides(judge="jury"), "hard-vote, best-tagger[:NAME], filter-score[:LEAST]"),
        (Overrides(judge="best-tagger:"), "best-tagger[:NAME]"),
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
    assert fingerprint(default_configuration(str(path))) != before
    assert fingerprint(base) == before, "a configuration reads its label set once"


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
