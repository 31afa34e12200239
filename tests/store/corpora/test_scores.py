"""The scores of a result's entities, read beside its documents."""

from __future__ import annotations

import json
import os
from pathlib import Path

from medner.core.records import Entity
from medner.store.corpora.json_formats.scores import entity_scores


def test_scores_of_a_result_are_read(tmp_path: Path) -> None:
    """By document and entity; what has none, or none that is a probability, is left out."""
    entities = [
        {"start": 0, "end": 2, "label": "sym", "score": 0.5},
        {"start": 2, "end": 4, "label": "sym"},
        {"start": 4, "end": 6, "label": "sym", "score": None},
        {"start": 4, "end": 6, "label": "dis", "score": 7},
        {"start": 6, "end": 5, "label": "dis", "score": 0.5},
        "no entity",
    ]
    lines = [{"id": "a", "text": "患者胸痛伴咳嗽", "entities": entities}, {"id": 7, "text": "咳", "entities": None}]
    path = tmp_path / "result.jsonl"
    path.write_text("\ufeff" + "\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    assert entity_scores(path) == {"a": {Entity(0, 2, "sym"): 0.5}}
    assert entity_scores(tmp_path) == {"a": {Entity(0, 2, "sym"): 0.5}}


def test_other_files_have_none(tmp_path: Path) -> None:
    """Another format, a broken line, bytes of another encoding, no file: whoever reads the documents reports them."""
    for number, data in enumerate((b"[1, 2]", b"\xff\xfe{", b"{broken", "患者。".encode())):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(data)
        assert entity_scores(path) == {}
    assert entity_scores(tmp_path / "none.jsonl") == {}


def test_a_pipe_is_not_opened_again(tmp_path: Path) -> None:
    """Nobody writes to it any more: opening it would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    assert entity_scores(tmp_path / "pipe") == {}
