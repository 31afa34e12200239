"""A base model's name or path becomes one folder, whichever command it is given to."""

from pathlib import Path

import pytest

from medner.core.errors import UserError
from medner.service.build.engines import model_folder
from medner.service.config.default import default_configuration
from medner.service.config.files import load_configuration
from medner.service.config.options import Overrides, configured
from medner.service.train.training import base_of
from medner.store.models import MANIFEST, ModelStore, base_model_folder, settled_base_model

TAGGERS = "html:full,json:plain"


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder and a home folder with a model each, and a store with one of its own."""
    for place in ("work/mymodel", "home/models/mine", "home/medner/models/stored", "work/stored"):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "home" / "medner" / "models" / "stored" / MANIFEST).write_text("", encoding="utf-8")
    (tmp_path / "work" / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MEDNER_HOME", str(tmp_path / "home" / "medner"))


def of_annotate(base: str) -> Path:
    """`medner annotate --model`."""
    return model_folder(configured(Overrides(model=base, taggers=TAGGERS, judge="hard-vote")))


def of_configuration(base: str) -> Path:
    """`model = ...` in a configuration file of the working folder."""
    tagger = '[[taggers]]\nname = "a"\nstrategy = "html"\n'
    Path("mine.toml").write_text(f'model = "{base}"\n{tagger}', encoding="utf-8")
    return model_folder(load_configuration(Path("mine.toml")))


def of_training(base: str) -> Path:
    """`medner train ... --base`, whatever is trained."""
    return base_of(base)


EVERYWHERE = [base_model_folder, of_annotate, of_configuration, of_training]


@pytest.mark.parametrize("command", EVERYWHERE)
@pytest.mark.parametrize(
    ("base", "place"),
    [
        ("mymodel", "work/mymodel"),
        ("./mymodel", "work/mymodel"),
        ("~/models/mine", "home/models/mine"),
        ("../home/models/mine", "home/models/mine"),
        ("stored", "home/medner/models/stored"),
        ("./stored", "work/stored"),
    ],
)
def test_a_name_or_a_path_is_one_folder(command, base, place, tmp_path) -> None:
    """A name of the store, else a folder by its bare name or path; ``~`` is the home folder."""
    assert command(base).resolve() == tmp_path / place


@pytest.mark.parametrize("command", EVERYWHERE)
@pytest.mark.parametrize(
    ("base", "way_out"),
    [
        ("nothing", "get it with: medner models pull nothing"),
        ("empty", "holds no model|medner models pull empty"),
        ("./nothing", "no such folder; give the folder of a model"),
        ("~/nothing", "no such folder; give the folder of a model"),
        ("./empty", r"holds no model \(no config.json\)"),
        ("No Model", "no such folder; give the folder of a model"),
        ("~nobody-of-that-name/x", "no such folder"),
    ],
)
def test_what_is_not_there_says_the_way_out(command, base, way_out) -> None:
    """One line with the name or folder and what to do."""
    with pytest.raises(UserError, match=way_out) as caught:
        command(base)
    assert "\n" not in str(caught.value)


def test_a_settled_name_says_by_its_looks_what_it_is() -> None:
    """A bare name of a folder gets its ``./``; names of the store and of nothing stay."""
    assert settled_base_model("mymodel") == "./mymodel"
    assert [settled_base_model(base) for base in ("stored", "nothing", "~/x")] == ["stored", "nothing", "~/x"]
    assert not ModelStore().has("../work/mymodel")
    assert default_configuration().model == settled_base_model(default_configuration().model)
