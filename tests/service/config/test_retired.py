"""Adapters that no longer ship: whatever names one is refused in a line that says what to take instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import medner
from medner.core.errors import BadInputError, UserError
from medner.service.build.pipeline import check_adapters
from medner.service.cli.app import main
from medner.service.config.cards import adapter_card
from medner.service.config.configuration import validated
from medner.service.config.files import load_configuration
from medner.service.config.fingerprint import fingerprint
from medner.service.config.frozen import thaw
from medner.service.config.options import Overrides, configured
from medner.service.config.retired import SUCCESSORS, refuse_retired, retired_note
from medner.service.config.shelf import shipped_adapters
from medner.service.jobs.submit import spec_of
from medner.service.traces.forking import configuration_of
from medner.service.worker.pipelines import open_pipeline
from medner.store.traces import RunRecord
from medner.store.traces.records import LabelSetRecord

WRITTEN = json.loads((Path(__file__).parent / "written_by_0_1_0.json").read_text(encoding="utf-8"))
NOTE = r"span-gold of cmeee-v2 no longer ships; take span-8 \(models/README\.md says how to get span-gold\)"
RETIRED = [(labels, name) for labels, names in SUCCESSORS.items() for name in names]


@pytest.mark.parametrize(("labels", "name"), RETIRED)
def test_a_successor_ships_and_the_retired_does_not(labels: str, name: str) -> None:
    """For the same label set; by its name it is taken."""
    shipped = [one.card.name for one in shipped_adapters(labels)]
    successor = SUCCESSORS[labels][name]
    assert successor in shipped
    assert name not in shipped
    assert configured(Overrides(labels=labels, taggers=successor)).taggers[0].name == successor


def test_names_of_other_label_sets_and_other_taggers_are_not_retired() -> None:
    """What shipped for one label set says nothing of another."""
    assert retired_note("ccks2019", "span-gold") is None
    assert retired_note("mine", "span") is None
    assert retired_note("cmeee-v2", "span-12") is None
    assert retired_note("cmeee-v2", 3) is None


def test_an_option_and_a_setting_name_the_successor(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the command line, in one line, and of Python."""
    with pytest.raises(UserError, match=f"^--taggers: {NOTE}$"):
        configured(Overrides(taggers="span-12,span-gold"))
    with pytest.raises(UserError, match=f"^taggers: {NOTE}$"):
        medner.load(taggers=["span-12", "span-gold"])
    assert main(["annotate", "--text", "胸痛。", "--labels", "ccks2019", "--taggers", "span"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "span of ccks2019 no longer ships; take span-8" in line


def test_a_file_names_the_successor(tmp_path: Path) -> None:
    """A tagger by its name, with the file and the key; one of the same name with an adapter of its own is taken."""
    path = tmp_path / "c.toml"
    path.write_text('taggers = ["span-12", "span-gold"]\n', encoding="utf-8")
    with pytest.raises(BadInputError, match=rf"c\.toml \[taggers\]: {NOTE}$"):
        load_configuration(path)
    path.write_text('taggers = [{name = "span-gold", strategy = "html"}]\n', encoding="utf-8")
    assert configured(Overrides(config=path, taggers="span-gold")).taggers[0].strategy == "html"


def test_the_folder_of_a_checkout(tmp_path: Path) -> None:
    """As a path in a file, in an option, to start a training from; a copy of the folder is taken as before."""
    folder = tmp_path / "models" / "cmeee-v2" / "span-gold"
    table = {"name": "mine", "strategy": "span", "adapter": str(folder)}
    configuration = validated({"taggers": [table]}, where="test")
    for refused in (
        lambda: check_adapters(configuration),
        lambda: fingerprint(configuration),
        lambda: configured(Overrides(taggers=str(folder))),
    ):
        with pytest.raises(UserError, match=rf"span-gold: {NOTE}$"):
            refused()
    folder.mkdir(parents=True)
    card = 'base = "qwen2.5-coder-0.5b-instruct"\nlabels = "cmeee-v2"\nstrategy = "span"\n'
    (folder / "card.toml").write_text(card, encoding="utf-8")
    assert adapter_card(folder).name == "span-gold"
    check_adapters(configuration)


def test_a_folder_named_from_its_shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path of one word, in the shelf's folder."""
    (tmp_path / "cmeee-v2").mkdir()
    monkeypatch.chdir(tmp_path / "cmeee-v2")
    with pytest.raises(UserError, match=f"^span-gold: {NOTE}$"):
        refuse_retired(Path("span-gold"))


@pytest.mark.parametrize(
    "command",
    [
        ["span", "texts.jsonl", "--start", "cmeee-v2/span-gold", "-o", "run"],
        ["judge", "texts.jsonl", "--start", "cmeee-v2/span-gold", "-o", "run"],
        ["filter", "texts.jsonl", "--kind", "llm-cls", "--start", "cmeee-v2/span-gold", "-o", "run"],
        ["soft-labels", "texts.jsonl", "--taggers", "cmeee-v2/span-gold", "-o", "soft.jsonl"],
    ],
    ids=lambda command: command[0],
)
def test_a_training_cannot_start_from_one(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before a model or a text is read."""
    monkeypatch.chdir(tmp_path)
    line = {"id": "a", "text": "胸痛。", "entities": [{"start": 0, "end": 2, "type": "sym"}]}
    (tmp_path / "texts.jsonl").write_text(json.dumps(line, ensure_ascii=False) + "\n", encoding="utf-8")
    assert main(["train", *command]) == 2
    assert "cmeee-v2/span-gold: span-gold of cmeee-v2 no longer ships; take span-8" in capsys.readouterr().err


@pytest.mark.parametrize("judge", ["best-tagger:span-gold", {"kind": "best-tagger", "tagger": "span-gold"}])
def test_a_judge_that_follows_one(judge: str | dict[str, Any]) -> None:
    """In words, or as the registry keeps it: the taggers there are, and the successor."""
    with pytest.raises(BadInputError, match=rf"needs the name of a tagger: span-8, span-12; {NOTE}"):
        configured(Overrides(judge=judge))


def written_default() -> dict[str, Any]:
    """A job's configuration as 0.1.0 wrote it: span-12 and span-gold."""
    frozen: dict[str, Any] = WRITTEN["default"]["configuration"]
    assert [tagger["name"] for tagger in frozen["taggers"]] == ["span-12", "span-gold"]
    return frozen


async def test_a_job_of_0_1_0_is_refused_with_the_way_out() -> None:
    """A worker takes it, and its reason names the tagger to submit it again with."""
    whole = configured(Overrides(taggers="html:full", judge="hard-vote", filter="off"))
    spec = spec_of(whole, name="old").model_copy(update={"configuration": written_default()})
    with pytest.raises(UserError, match=rf"models/cmeee-v2/span-gold: {NOTE}$"):
        async with open_pipeline(spec):
            pass


def test_what_0_1_0_decided_is_shown_and_decided_again() -> None:
    """Pages of jobs and forks of traces need no tagger: their configuration is read, and says what it was."""
    configuration = thaw(written_default())
    assert configuration.described() == WRITTEN["default"]["described"]
    labels = LabelSetRecord.of(configuration.label_set)
    run = RunRecord(run="r", kind="job", policy="all", judge="", labels=labels, configuration=written_default())
    assert [tagger.name for tagger in configuration_of(run).taggers] == ["span-12", "span-gold"]
