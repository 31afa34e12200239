"""No sentence of a research corpus is in the project."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from medner.store.corpora import read_documents

#: So many characters in a row are no coincidence.
WINDOW = 16
_HAN = re.compile(r"[\u3400-\u9fff]")
CORPORA = (
    "cmeee_v2/train_gold.json",
    "cmeee_v2/test.json",
    "cmeee_v2/train_silver.json",
    "ccks2019/subtask1_training_part1.txt",
    "ccks2019/subtask1_training_part2.txt",
    "ccks2019/test_half.txt",
)


def _windows(text: str) -> Iterator[str]:
    """Every stretch of the text that is mostly Chinese."""
    plain = re.sub(r"\s+", "", text)
    for start in range(len(plain) - WINDOW + 1):
        window = plain[start : start + WINDOW]
        if len(_HAN.findall(window)) >= WINDOW - 4:
            yield window


@pytest.mark.data
def test_no_stretch_of_a_corpus_is_in_a_file(root: Path, project_files: tuple[Path, ...]) -> None:
    """No file of the project shares a stretch of Chinese text with a research corpus."""
    folder = Path(os.environ.get("MEDNER_DATA", root.parent / "shared" / "data"))
    corpora = [folder / name for name in CORPORA if (folder / name).is_file()]
    if not corpora:
        pytest.skip(f"no research corpora in {folder}; MEDNER_DATA names their folder")
    ours: dict[str, Path] = {}
    for path in project_files:
        try:
            text = (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        for window in _windows(text):
            ours[window] = path
    shared = {
        ours[window]
        for corpus in corpora
        for document in read_documents(corpus)
        for window in _windows(document.text)
        if window in ours
    }
    assert not shared, "these files hold text of a corpus"
