"""The table [conflicts]: what it takes, with which judge and filter, and what it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.core.errors import BadInputError
from medner.core.wider_conflicts import DISAGREEMENTS, WiderConflicts
from medner.service.config.configuration import Configuration
from medner.service.config.default import default_configuration
from medner.service.config.files import load_configuration
from medner.service.config.fingerprint import fingerprint, fingerprint_facts
from medner.service.config.frozen import freeze, thaw
from medner.service.config.options import Overrides, configured
from medner.service.traces.forking import with_judge

WIDER = "[conflicts]\ndoubtful = 0.5\nmaybe = 0.1\n"


def read(folder: Path, text: str) -> Configuration:
    path = folder / "c.toml"
    path.write_text(text, encoding="utf-8")
    return load_configuration(path)


def test_a_file_adds_kinds_of_conflict_to_the_default(tmp_path: Path) -> None:
    """Bounds as written, at most eight of each; without the table only disagreements."""
    configuration = read(tmp_path, WIDER)
    assert configuration.wider_conflicts == WiderConflicts(0.5, 0.1, 8)
    assert configuration.described()["conflicts"] == "doubtful below 0.5, maybe from 0.1, at most 8 of each a sentence"
    assert read(tmp_path, "[conflicts]\ndoubtful = 0.7\nmost = 3\n").wider_conflicts == WiderConflicts(0.7, None, 3)
    plain = default_configuration("ccks2019")
    assert plain.wider_conflicts == DISAGREEMENTS
    assert "conflicts" not in plain.described()


def test_what_the_default_asks_its_own_judge_goes_with_it(tmp_path: Path) -> None:
    """A file that takes another judge or filter leaves it out; one that takes neither keeps it."""
    default = default_configuration()
    assert default.conflicts is not None
    assert read(tmp_path, "concurrency = 3\n").conflicts == default.conflicts
    assert read(tmp_path, '[judge]\nkind = "hard-vote"\n').conflicts is None
    assert read(tmp_path, 'filter = "off"\n').conflicts is None
    for judge in ("hard-vote", "filter-score:0.3"):
        assert configured(Overrides(judge=judge)).conflicts is None
    assert configured(Overrides(judge="evidence", taggers="span-8")).conflicts == default.conflicts
    with pytest.raises(BadInputError, match=r'\[filter\]: must be "off" or a table'):
        read(tmp_path, 'filter = "span"\n')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[conflicts]\nmost = 3\n", "give doubtful, maybe or both"),
        ("[conflicts]\nmaybe = 0.001\n", "greater than or equal to 0.01"),
        ("[conflicts]\ndoubtful = 2\n", "less than or equal to 1"),
        ("[conflicts]\ndoubtful = 0.5\nmost = 0\n", "greater than or equal to 1"),
        ("[conflicts]\ndoubt = 0.5\n", "doubt"),
        ('[judge]\nkind = "hard-vote"\n' + WIDER, "the judge hard-vote goes by who gave an entity"),
        ('[judge]\nkind = "best-tagger"\n' + WIDER, "take evidence, filter-score, trained, select or rewrite"),
        (
            'filter = "off"\n[judge]\nkind = "select"\n[conflicts]\ndoubtful = 0.5\n',
            "needs the probabilities of a filter",
        ),
        ('[filter]\nkind = "llm-causal"\n' + WIDER, "llm-causal does not"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(tmp_path: Path, text: str, said: str) -> None:
    """Wrong bounds, a rule that counts votes, no filter, and a filter that knows only what taggers gave."""
    with pytest.raises(BadInputError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_any_filter_makes_doubt_and_every_judge_that_weighs_can_have_it(tmp_path: Path) -> None:
    """A doubtful entity needs a probability, whoever gives it; a rule may step in for a judge that cannot decide."""
    text = (
        '[filter]\nkind = "llm-causal"\n[judge]\nkind = "select"\nfallback = ["hard-vote"]\n[conflicts]\ndoubtful = 0.5'
    )
    assert read(tmp_path, text).wider_conflicts == WiderConflicts(0.5)


def test_a_judge_of_the_command_line_or_a_fork_takes_what_it_can_use(tmp_path: Path) -> None:
    """One that only counts votes takes the kinds out with it, by an option and in a fork."""
    path = tmp_path / "c.toml"
    path.write_text(WIDER, encoding="utf-8")
    assert configured(Overrides(path, judge="filter-score:0.4")).conflicts is not None
    assert configured(Overrides(path, judge="hard-vote")).conflicts is None
    assert with_judge(load_configuration(path), {"kind": "best-tagger"}).conflicts is None
    assert with_judge(load_configuration(path), {"kind": "filter-score"}).conflicts is not None


def test_the_fingerprint_is_that_of_before_where_they_are_off(tmp_path: Path) -> None:
    """What was annotated before there was the table goes on; with it, every bound counts."""
    plain = default_configuration(preset="fast")
    assert "conflicts" not in fingerprint_facts(plain)
    bounds = ("doubtful = 0.5", "doubtful = 0.6", "maybe = 0.1", "maybe = 0.1\nmost = 4")
    marks = {fingerprint(plain), *(fingerprint(read(tmp_path, f"[conflicts]\n{bound}\n")) for bound in bounds)}
    assert len(marks) == 5


def test_jobs_carry_them(tmp_path: Path) -> None:
    """A worker on another machine questions the same; a job of before the table is read."""
    configuration = read(tmp_path, WIDER)
    assert thaw(freeze(configuration)) == configuration
    plain = default_configuration(preset="fast")
    old = {key: value for key, value in freeze(plain).items() if key != "conflicts"}
    assert thaw(old) == plain
