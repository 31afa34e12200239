"""Manifests: what they may say, and what is told where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.core.errors import BadInputError, UserError
from medner.evaluation.paper.manifest import load_manifest

HEAD = 'labels = "cmeee-v2"\ngold = "gold.jsonl"\n'
TAGGER = '[[tagger]]\nname = "a"\nstrategy = "symbol"\nfile = "gold.jsonl"\n'

BAD: dict[str, tuple[str, str, str]] = {
    "no gold": ('labels = "cmeee-v2"\n' + TAGGER, "gold", "required"),
    "no tagger": (HEAD, "tagger", r"\[\[tagger\]\] at least"),
    "unknown key": (HEAD + "golden = 1\n" + TAGGER, "golden", "unknown key; there are labels, gold"),
    "unknown key of a tagger": (HEAD + TAGGER + "shots = 3\n", "tagger.0.shots", "there are name, strategy"),
    "misspelt strategy": (HEAD + TAGGER.replace("symbol", "simbol"), "tagger.0.strategy", "is symbol meant?"),
    "misspelt kind of filter": (
        HEAD + TAGGER + '[[filter]]\nkind = "llm_cls"\nof = "a"\nfile = "gold.jsonl"\n',
        "filter.0.kind",
        "is llm-cls meant?",
    ),
    "no such file": (HEAD + TAGGER.replace("gold.jsonl", "b.jsonl"), "tagger.0.file", "no such file"),
    "no such gold": (HEAD.replace("gold.jsonl", "b.jsonl") + TAGGER, "gold", "no such file"),
    "filter of nothing": (
        HEAD + TAGGER + '[[filter]]\nkind = "llm-cls"\nof = "b"\nfile = "gold.jsonl"\n',
        "filter.0.of",
        "no system is called 'b'; there are a",
    ),
    "unknown member": (HEAD + 'members = ["a", "c"]\n' + TAGGER, "members", "no system is called 'c'"),
    "unknown main": (HEAD + 'main = "c"\n' + TAGGER, "main", "no system is called 'c'"),
    "two of a name": (HEAD + TAGGER + TAGGER, "tagger.1.name", "'a' is there more than once"),
    "soft vote without a file": (
        HEAD + TAGGER + '[[ensemble]]\nkind = "soft-vote"\n',
        "ensemble.0.file",
        "name what a run",
    ),
    "time that is none": (HEAD + TAGGER + "seconds = 0\n", "tagger.0.seconds", "greater than 0"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_manifest_names_file_and_key(what: str, folder: Path) -> None:
    """Whatever is wrong, the error names the manifest, the key and what is allowed."""
    text, key, reason = BAD[what]
    path = folder / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError, match=reason) as caught:
        load_manifest(path)
    assert (caught.value.path, caught.value.key) == (str(path), key)


def test_what_is_no_toml_is_said_so(folder: Path) -> None:
    """Broken TOML, other bytes and a missing file end in an error of the user's."""
    path = folder / "bad.toml"
    path.write_text("labels =", encoding="utf-8")
    with pytest.raises(BadInputError, match="not valid TOML"):
        load_manifest(path)
    path.write_bytes("labels = '中'".encode("gb18030"))
    with pytest.raises(BadInputError, match="not UTF-8"):
        load_manifest(path)
    with pytest.raises(UserError, match="cannot be read"):
        load_manifest(folder / "none.toml")


def test_paths_count_from_the_manifests_folder(folder: Path) -> None:
    """A manifest can be used from any working directory; a byte order mark does not matter."""
    path = folder / "cmeee-v2.toml"
    path.write_text("\ufeff" + path.read_text(encoding="utf-8"), encoding="utf-8")
    manifest = load_manifest(path)
    assert manifest.gold == folder / "gold.jsonl"
    assert manifest.tagger[0].file == folder / "symbol.jsonl"
    assert manifest.names == (
        *("symbol", "json", "small", "untuned"),
        *("symbol+llm-cls", "small+llm-cls", "hard-vote", "oracle", "judge", "judge, thinking"),
    )


def test_the_example_is_a_manifest(folder: Path) -> None:
    """The shipped examples have no unknown key, and their files are named from their own folder."""
    for example in sorted((Path(__file__).parents[3] / "examples" / "paper").glob("*.toml")):
        with pytest.raises(BadInputError, match="no such file") as caught:
            load_manifest(example)
        assert caught.value.key == "gold"
