"""The wheel holds the packages, whole, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

BUILD = "from setuptools import build_meta; build_meta.build_wheel('dist')"


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory, root: Path, project_files: tuple[Path, ...]) -> Path:
    """A copy of the project as a clone has it, with two adapters in `models`."""
    folder = tmp_path_factory.mktemp("clone")
    for path in project_files:
        (folder / path.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy(root / path, folder / path)
    for label_set in ("cmeee-v2", "ccks2019"):
        adapter = folder / "models" / label_set / "symbol-example"
        adapter.mkdir(parents=True)
        for name in ("adapter_config.json", "adapter_model.safetensors", "card.toml"):
            (adapter / name).write_text("", encoding="utf-8")
    # What Python leaves behind once the package has been imported.
    (folder / "models" / "__pycache__").mkdir()
    (folder / "models" / "__pycache__" / "__init__.cpython-311.pyc").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def wheel(copied: Path) -> zipfile.ZipFile:
    """The wheel built from the copy, offline, with the setuptools at hand."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", BUILD], cwd=copied, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    (built,) = (copied / "dist").glob("*.whl")
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def names(wheel: zipfile.ZipFile) -> set[str]:
    """The wheel's files."""
    return {name for name in wheel.namelist() if not name.endswith("/")}


def test_every_file_of_the_packages_is_in_it(copied: Path, names: set[str], settings: dict[str, Any]) -> None:
    """Every module and data file of every package folder is in the wheel, and no other file."""
    folders = settings["tool"]["setuptools"]["package-dir"]
    expected = {
        f"{name.replace('.', '/')}/{path.relative_to(copied / folder).as_posix()}"
        for name, folder in folders.items()
        for path in (copied / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == expected


@pytest.mark.parametrize(
    "name",
    [
        "medner/__init__.py",
        "medner/py.typed",
        "medner/testing/__init__.py",
        "medner/agents/prompts/shots-cmeee-v2.toml",
        "medner/agents/py.typed",
        "medner/evaluation/reports/templates/base.html.j2",
        "medner/models/README.md",
        "medner/models/cmeee-v2/symbol-example/adapter_model.safetensors",
        "medner/service/cli/__main__.py",
        "medner/service/http/assets/app.js",
        "medner/service/page/templates/page.css",
        "medner/core/labelsets/ccks2019.toml",
        "medner/store/models/catalogue.toml",
    ],
)
def test_data_files_are_in_it(name: str, names: set[str]) -> None:
    """A file of every kind that a package reads at run time is in the wheel."""
    assert name in names


def test_no_test_is_in_it(names: set[str], settings: dict[str, Any]) -> None:
    """Tests, benchmarks, examples and documents stay outside."""
    version = settings["project"]["version"]
    assert {name.split("/")[0] for name in names} == {"medner", f"medner-{version}.dist-info"}
    ours = "medner/testing/"  # for users' tests
    assert not [name for name in names if "test" in Path(name).name and not name.startswith(ours)]


def test_the_command_and_the_licence_are_in_it(wheel: zipfile.ZipFile, names: set[str]) -> None:
    """The wheel brings the `medner` command and the licence."""
    (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
    assert "medner = medner.service.cli.__main__:run" in wheel.read(entry_points).decode()
    assert any(name.endswith("licenses/LICENSE") for name in names)


PROGRAM = """
import sys
sys.path[:0] = {path!r}
import medner
from medner.testing import annotator
with annotator({{"咳嗽": "sym"}}) as nlp:
    entity, = nlp.annotate("患者咳嗽。").entities
print(entity.text, entity.label_name, medner.__version__)
ours = [module for name, module in sys.modules.items() if name.split(".")[0] == "medner"]
assert all(module.__file__.startswith({folder!r}) for module in ours), ours
"""


def test_the_front_door_of_the_wheel(
    wheel: zipfile.ZipFile, tmp_path: Path, root: Path, settings: dict[str, Any]
) -> None:
    """Unpacked, without the source tree, `import medner` annotates; every module comes from the wheel."""
    folder = tmp_path / "unpacked"
    wheel.extractall(folder)
    for empty in folder.glob("medner/models/*/symbol-example"):
        shutil.rmtree(empty)
    # -S: the editable installation that this test runs in is not looked at.
    others = [place for place in sys.path if Path(place).is_dir() and Path(place).resolve() != root]
    program = PROGRAM.format(path=[str(folder), *others], folder=str(folder))
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-S", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert done.stdout.split() == ["咳嗽", "临床表现", settings["project"]["version"]]
