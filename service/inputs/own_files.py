"""Which files medner itself wrote: results, journals, refused records. They are no inputs of a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

_HEAD_BYTES = 1 << 16
#: A first line longer than this is taken for something else.
_LONGEST_LINE = 1 << 26
_TEXTS = (".txt", ".text", ".md", ".log")
_JOURNAL = b'{"medner_journal": '
_ENTITY_LINE = re.compile(r"^  \S+: .+ \[\d+,\d+\)(  [*?!])?$", re.MULTILINE)
_SENTENCE_KEYS = {"sentence", "outputs", "entities"}


def is_written_by_medner(path: Path) -> bool:
    """Whether a file is a result, a journal, a list of refused records or a terminal view of medner's."""
    if path.name.endswith(".bad.jsonl"):
        return True
    if _begins(path, lambda head: head.startswith(_JOURNAL)):
        return True
    return _is_result(path) or (path.suffix.lower() in _TEXTS and _begins(path, _is_terminal_view))


def _begins(path: Path, test: Callable[[bytes], bool]) -> bool:
    """Whether the test holds for a file's first bytes; a file that cannot be read is none of ours."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return test(file.read(_HEAD_BYTES))
    except OSError:
        return False


def _is_result(path: Path) -> bool:
    """Whether the first line is an annotated document."""
    if not _begins(path, lambda head: head.startswith(b'{"id": ')):
        return False
    with path.open("rb") as file:
        line = file.readline(_LONGEST_LINE)
    if b'"sentences": [' not in line:
        return False
    try:
        record = json.loads(line)
    except ValueError:
        return False
    sentences = record.get("sentences") if isinstance(record, dict) else None
    return isinstance(sentences, list) and all(
        isinstance(one, dict) and one.keys() >= _SENTENCE_KEYS for one in sentences[:1]
    )


def _is_terminal_view(head: bytes) -> bool:
    """Whether this is what `medner annotate` shows: sentences, under them entities with their places."""
    return _ENTITY_LINE.search(head.decode("utf-8", "replace")) is not None
