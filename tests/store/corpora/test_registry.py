"""Which format a file is in is found, and said when it cannot be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medner.core.errors import BadInputError, UserError
from medner.store.corpora import guess_format, read_documents

Make = Callable[..., Path]


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ('[{"text": "甲", "entities": []}]', "a.json", "cmeee"),
        ("[]", "a.json", "cmeee"),
        ('[{"id": 1, "data": {"text": "\\"start_idx\\": 1"}, "annotations": []}]', "a.json", "label-studio"),
        ('\ufeff{"entities": [], "originalText": "甲"}', "a.txt", "ccks"),
        ('{"text": "甲 \\"label\\": [", "entities": [{"start": 0, "end": 1, "label": "x"}]}', "a.json", "jsonl"),
        ('{"id": 3, "text": "甲", "label": []}', "a.jsonl", "doccano"),
        ("甲\tO\n\n乙\tB-dis\n", "a.txt", "bio"),
        ("患者发热三天。", "a.txt", "text"),
        ("[主诉]发热三天。", "a.txt", "text"),
    ],
)
def test_content_tells_the_format(make: Make, content: str, name: str, expected: str) -> None:
    """Keys and lines decide; a key inside a text does not."""
    assert guess_format(make(content, name)).name == expected


def test_a_text_with_an_ann_beside_it_is_brat(make: Make, tmp_path: Path) -> None:
    """File, annotation file and folder are all recognised."""
    make("发热", "a.txt")
    make("", "a.ann")
    assert {guess_format(tmp_path / name).name for name in ("a.txt", "a.ann", "")} == {"brat"}


def test_an_unclear_file_lists_the_formats(make: Make, tmp_path: Path) -> None:
    """The error is the way out: --from and the names."""
    with pytest.raises(UserError, match=r"there are cmeee, ccks, jsonl.*--from"):
        guess_format(make("a,b\n1,2\n", "a.unknown"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="--from"):
        guess_format(tmp_path / "empty")
    with pytest.raises(BadInputError, match="empty"):
        guess_format(make("", "b.json"))


def test_unknown_format_and_missing_file_are_user_errors(make: Make, tmp_path: Path) -> None:
    """Both messages name what was given."""
    with pytest.raises(UserError, match="no format 'xml'"):
        read_documents(make("甲", "a.txt"), format="xml")
    with pytest.raises(UserError, match="no such file"):
        read_documents(tmp_path / "missing")
