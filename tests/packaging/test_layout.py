"""What every file of the project keeps to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

#: Spelt in pieces, so that this file does not break its own rules.
FORBIDDEN = {
    "an absolute path of somebody's machine": re.compile(
        r"(?<![\w.~/$}-])/(?:" + "|".join(("home", "root", "Users", "work", "farm", "mnt", "opt")) + r")/[\w.-]"
    ),
    "a package registry's host": re.compile(
        "py" + r"pi\.(?:org|tuna)" + "|files.python" + "hosted|download.py" + "torch|conda." + "anaconda"
    ),
    "a setting that names a registry": re.compile(r"(?:^|\s)--?(?:extra-)?" + r"index-url[ =]\s*https?:"),
}
NOT_TEXT = {".npz", ".png", ".safetensors", ".woff2"}


def _texts(root: Path, files: tuple[Path, ...]) -> Iterator[tuple[Path, str]]:
    for path in files:
        if path.suffix not in NOT_TEXT:
            # The example of a hospital's export is in the encoding of such exports.
            yield path, (root / path).read_text(encoding="gb18030" if path.name == "病历.csv" else "utf-8")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names_a_machine_or_a_registry(what: str, root: Path, project_files: tuple[Path, ...]) -> None:
    """No file holds an absolute path of a machine, or says where packages come from."""
    found = [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in _texts(root, project_files)
        for number, line in enumerate(text.split("\n"), 1)
        if FORBIDDEN[what].search(line)
    ]
    assert not found, f"{what}:\n" + "\n".join(found)


def test_every_package_folder_is_listed(root: Path, settings: dict[str, Any]) -> None:
    """A folder of modules that pyproject.toml forgets would work here and be missing from the wheel."""
    tool = settings["tool"]["setuptools"]
    folders = {
        ".".join((name, *path.parent.relative_to(root / folder).parts))
        for name, folder in tool["package-dir"].items()
        for path in (root / folder).rglob("*.py")
    }
    assert sorted(folders) == sorted(tool["packages"])


def test_every_top_level_package_is_banned_bare_and_layered(settings: dict[str, Any]) -> None:
    """`import graph` is a lint error for every top-level package; the layers name all that hold code."""
    names = {name for name in settings["tool"]["setuptools"]["package-dir"] if "." in name}
    banned = settings["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    assert {f"medner.{name}" for name in banned} == names
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    layered = {name.strip() for layer in layers for name in re.split(r"[|:]", layer)}
    assert names - {"medner.models"} <= layered


def test_every_module_of_the_front_door_is_layered(root: Path, settings: dict[str, Any]) -> None:
    """What users import rests on all others, and nothing of them rests on it."""
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    layered = {name.strip() for layer in layers for name in re.split(r"[|:]", layer)}
    modules = {f"medner.{path.stem}" for path in (root / "medner").glob("_*.py") if path.stem != "__init__"}
    assert modules <= layered
    public = {path.stem for path in (root / "medner").iterdir() if path.stem[0] not in "_."} - {"py"}
    assert public == {"huggingface", "langgraph", "plugins", "ray", "spacy", "testing"}, "all other modules are private"


def test_every_top_level_package_is_type_checked_and_in_the_image(root: Path, settings: dict[str, Any]) -> None:
    """`make typing` links what mypy checks; the Dockerfile copies what the wheel is built from."""
    folders = set(settings["tool"]["setuptools"]["package-dir"].values())
    (linked,) = re.findall(r"for name in ([\w ]+); do ln", (root / "Makefile").read_text(encoding="utf-8"))
    assert set(linked.split()) == folders - {"models", "medner"}
    assert "for name in medner/*;" in (root / "Makefile").read_text(encoding="utf-8"), "its modules are linked beside"
    dockerfile = (root / "deploy" / "medner.Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"^COPY (\w+) \1$", dockerfile, re.MULTILINE)) == folders


def test_every_typed_package_says_so(root: Path, settings: dict[str, Any]) -> None:
    """Each top-level package with code has a py.typed, and ships it."""
    tool = settings["tool"]["setuptools"]
    for name, folder in tool["package-dir"].items():
        if name != "medner.models":
            assert (root / folder / "py.typed").is_file()
            assert "py.typed" in tool["package-data"][name]


def test_no_module_is_a_grab_bag(project_files: tuple[Path, ...]) -> None:
    """Modules are named after what they hold."""
    grab_bags = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
    assert not [path for path in project_files if path.suffix == ".py" and path.stem in grab_bags]


def test_no_large_file_is_kept(root: Path, project_files: tuple[Path, ...]) -> None:
    """Only adapters may be large: base models and corpora never enter the project."""
    large = [path for path in project_files if (root / path).stat().st_size > 1_000_000 and path.parts[0] != "models"]
    assert not large
