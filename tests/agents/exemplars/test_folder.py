"""What is refused of a folder of exemplars, and what the message says."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.agents.exemplars import EntityIndex, NearestExemplars
from medner.agents.exemplars.folder import (
    ENTITIES,
    FILES,
    INDEX,
    EntityRow,
    ExemplarCard,
    ExemplarFolder,
    write_folder,
)
from medner.core.errors import BadInputError, UserError
from medner.core.files.names import CARD
from medner.core.labels import load_label_set
from tests.letter_embedder import LetterEmbedder


def rewrite(
    folder: ExemplarFolder, *, rows: list[EntityRow] | None = None, index: object = None, **card: object
) -> None:
    """Writes the folder anew with checksums that are right, but with other content."""
    write_folder(
        folder.path,
        folder.card.model_copy(update=card),
        folder.clustered(),
        folder.entities() if rows is None else rows,
        folder.index() if index is None else index,
    )


def test_a_folder_that_is_whole_opens(built: Path) -> None:
    """With its own label set, or without asking for one."""
    assert ExemplarFolder.open(built, labels=load_label_set("cmeee-v2")).card == ExemplarFolder.open(built).card


@pytest.mark.parametrize("name", FILES)
def test_a_changed_or_missing_file_is_named(built: Path, name: str) -> None:
    """One other byte is damage; the way out is to build again."""
    data = bytearray((built / name).read_bytes())
    data[len(data) // 2] ^= 1
    (built / name).write_bytes(data)
    with pytest.raises(BadInputError, match=f"{name}: damaged.*medner exemplars build"):
        ExemplarFolder.open(built)
    (built / name).unlink()
    with pytest.raises(BadInputError, match=f"{name}: missing.*medner exemplars build"):
        ExemplarFolder.open(built)


def test_another_label_set_is_refused(built: Path) -> None:
    """The message names both sets."""
    with pytest.raises(UserError, match=r"of label set 'cmeee-v2' .* not of 'ccks2019'"):
        ExemplarFolder.open(built, labels=load_label_set("ccks2019"))


def test_another_model_is_refused(built: Path) -> None:
    """Vectors of two models cannot be compared; the message names both."""
    folder = ExemplarFolder.open(built)
    with pytest.raises(UserError, match=r"made with letters .* not with others .* --base"):
        NearestExemplars.read(folder, LetterEmbedder("others"))
    rewrite(folder, method="something else")
    with pytest.raises(UserError, match="another version of medner"):
        NearestExemplars.read(ExemplarFolder.open(built), LetterEmbedder())


def test_index_and_rows_must_agree(built: Path) -> None:
    """Rows without vectors, vectors of another width, and a file that is no index are damage."""
    folder = ExemplarFolder.open(built)
    whole = {path.name: path.read_bytes() for path in built.iterdir()}
    rewrite(folder, rows=list(folder.entities())[:-1])
    with pytest.raises(BadInputError, match=f"{ENTITIES}: damaged: 13 rows for 14 vectors"):
        EntityIndex.read(ExemplarFolder.open(built))
    (built / ENTITIES).write_bytes(whole[ENTITIES])
    rewrite(folder, width=7)
    with pytest.raises(BadInputError, match=f"{INDEX}: damaged: 14 vectors of 32 numbers where the card says 14 of 7"):
        EntityIndex.read(ExemplarFolder.open(built))
    (built / INDEX).write_bytes(b"no index at all")
    with pytest.raises(BadInputError, match="not a FAISS index"):
        folder.index()


def test_a_broken_row_is_named_by_its_line(built: Path) -> None:
    """An entity that is not in its context is refused with file and line."""
    folder = ExemplarFolder.open(built)
    lines = (built / ENTITIES).read_text(encoding="utf-8").splitlines(keepends=True)
    lines[2] = json.dumps({**json.loads(lines[2]), "start": 1}, ensure_ascii=False) + "\n"
    (built / ENTITIES).write_text("".join(lines), encoding="utf-8")
    with pytest.raises(BadInputError, match=rf"{ENTITIES}:3: .*is not at its place"):
        folder.entities()


def test_no_card_or_a_broken_one(built: Path, tmp_path: Path) -> None:
    """Each message says what is wrong and how exemplars are made."""
    with pytest.raises(UserError, match=r"holds no exemplars .* medner exemplars build"):
        ExemplarFolder.open(tmp_path / "nothing")
    text = (built / CARD).read_text(encoding="utf-8")
    for broken, said in (
        (text + "speed = 3\n[", "not valid TOML"),
        (text.replace("width = 32", 'width = "wide"'), r"\[width\]"),
        (text.replace("seed = 7\n", "seed = 7\nspeed = 1\n"), r"\[speed\]"),
        (text.replace("format = 1", "format = 2"), r"\[format\]"),
    ):
        (built / CARD).write_text(broken, encoding="utf-8")
        with pytest.raises(BadInputError, match=said):
            ExemplarFolder.open(built)


@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=20), seed=st.integers(0, 2**31))
def test_a_card_reads_back_as_written(name: str, seed: int) -> None:
    """Whatever files are called."""
    card = ExemplarCard(
        labels="own",
        types=("dis",),
        embedder="llm",
        base=name,
        base_sha256="0" * 64,
        width=8,
        seed=seed,
        clusters=5,
        each=5,
        max_per_type=10,
        max_chars=256,
        data=(name,),
        distinct={"dis": 3},
        embedded={"dis": 3},
        exemplars={"dis": 3},
        versions={"medner": "0"},
        files={name: "1"},
    )
    assert ExemplarCard.model_validate(tomllib.loads(card.toml())) == card
