"""Configurations out of files: their paths, what they leave out, and what their errors say."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.core.errors import BadInputError
from medner.service.config.default import default_configuration
from medner.service.config.files import load_configuration

EXAMPLE = Path(__file__).parents[3] / "examples" / "configuration.toml"


def test_a_file_can_leave_the_default_filter_out(tmp_path: Path) -> None:
    """TOML has no null, so a word says it; a judge that needs scores goes with it."""
    path = tmp_path / "c.toml"
    path.write_text('filter = "off"\n')
    configuration = load_configuration(path)
    assert configuration.filter is None
    assert configuration.judge.kind != "filter-score"


def test_a_file_can_name_taggers_that_ship(tmp_path: Path) -> None:
    """Beside tables of its own; like these, they take no filter and no judge of the default along."""
    path = tmp_path / "c.toml"
    path.write_text('taggers = ["span-8", {name = "mine", strategy = "html"}]\n')
    configuration = load_configuration(path)
    assert [(one.name, one.strategy) for one in configuration.taggers] == [("span-8", "span"), ("mine", "html")]
    assert configuration.taggers[0].folder is not None
    assert configuration.taggers[0].folder == default_configuration().taggers[0].folder
    assert (configuration.filter, configuration.judge.kind) == (None, "best-tagger")
    path.write_text('taggers = ["spam"]\n')
    with pytest.raises(BadInputError, match=r"no tagger 'spam' ships for cmeee-v2 .*; there are .*span-8,"):
        load_configuration(path)
    path.write_text('labels = "ccks2019"\ntaggers = ["symbol"]\n')
    with pytest.raises(BadInputError, match="no tagger 'symbol' ships for ccks2019"):
        load_configuration(path)


def test_the_containers_configuration_has_something_for_its_servers() -> None:
    """A tagger that writes runs on them; what scores, in the workers."""
    configuration = load_configuration(EXAMPLE.parents[1] / "deploy" / "configuration.toml")
    assert "symbol" in {one.strategy for one in configuration.taggers}


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
    assert configuration.taggers[0].folder == tmp_path / "ad"
    path.write_text("max_chars = 100\n", encoding="utf-8")
    assert load_configuration(path).taggers == default_configuration().taggers


TAGGER = '[[taggers]]\nname = "a"\nstrategy = "html"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_char = 3\n", "[max_char]: unknown key; is max_chars meant? There are labels, model, taggers"),
        (
            '[[taggers]]\nname = "a"\nstrategy = "xml"\n',
            "[taggers.0.strategy]: there is no 'xml'; there are symbol, json, html",
        ),
        (TAGGER + "shot = 1\n", "[taggers.0.shot]: unknown key; is shots meant? There are name, strategy, "),
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
