"""Words after a space and before a comma: what taggers say with an edge too much, results hold without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medner.agents.strategies import CODECS
from medner.core.characters import is_blank
from medner.core.choices import DEFAULT_MODEL
from medner.core.edges import MARKS
from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.core.records import Entity
from medner.service.cli.app import main
from medner.store.corpora.json_formats.jsonl import read_annotated
from medner.store.models import ModelStore

LABELS = load_label_set("cmeee-v2")
NOTE = Path(__file__).parents[2] / "cases" / "28-leading-space" / "note.txt"
#: What token edges make of entities: sentence, place as it was said, entity.
SAID = {
    "诊断 COPD 急性加重期。": (2, 8, "COPD"),
    "予 NGT 10mg 静滴。": (1, 6, "NGT"),
    "行头颅 CT 检查，头颅 MRI 示脑梗死。": (9, 16, "头颅 MRI"),
    "查 WBC 12.3，CRP 升高，BNP 900。": (10, 14, "CRP"),
    "诊断 肺炎 ，咳嗽 。": (2, 7, "肺炎"),
    "既往 AF 病史，口服 warfarin 治疗。": (11, 21, "warfarin"),
    "| 诊断 | 支气管炎 |": (6, 12, "支气管炎"),
    "左室射血分数52%，E/A<1。": (0, 10, "左室射血分数52%"),
}


def test_an_edge_too_much_is_no_conflict(kit: Any, tmp_path: Path) -> None:
    """One tagger says the spaces and commas too, the other does not: they agree, and the judge is not asked."""

    def answer(strategy: str, sentence: str) -> str:
        start, end, meant = SAID[sentence]
        at = sentence.index(meant)
        entity = Entity(start, end, "dis") if strategy == "html" else Entity(at, at + len(meant), "dis")
        return CODECS[strategy].encode(sentence, [entity], LABELS)

    kit.before = answer
    assert kit.run(NOTE, "-o", tmp_path / "out.jsonl", "--html", tmp_path / "out.html").exit_code == 0
    [document] = read_annotated(tmp_path / "out.jsonl")
    assert [one.text_in(document.document.text) for one in document.entities] == [
        meant for _, _, meant in SAID.values()
    ]
    assert all(not annotation.conflicts for annotation in document.annotations)
    # What was written stays readable.
    outputs = [output for annotation in document.annotations for output in annotation.outputs]
    assert any("> COPD <" in output.answer for output in outputs)


def test_recorded_answers_are_trimmed_alike(kit: Any, tmp_path: Path) -> None:
    """Answers of a file that was written with the edges are compared without them."""
    entity = Entity(2, 7, "dis")
    kit.before = lambda strategy, sentence: CODECS[strategy].encode(sentence, [entity], LABELS)
    note = tmp_path / "note.txt"
    note.write_text("诊断 COPD 急性加重期。", encoding="utf-8")
    assert kit.run(note, "-o", tmp_path / "first.jsonl").exit_code == 0
    data = (tmp_path / "first.jsonl").read_text(encoding="utf-8")
    assert '"start":3' in data.replace(" ", "")
    # As an earlier version would have written the tagger's part.
    old = data.replace(
        '"entities": [{"start": 3, "end": 7, "label": "dis"}]', '"entities": [{"start": 2, "end": 8, "label": "dis"}]'
    )
    assert old != data
    (tmp_path / "old.jsonl").write_text(old, encoding="utf-8")
    assert kit.run(note, "-o", tmp_path / "second.jsonl", "--answers", tmp_path / "old.jsonl").exit_code == 0
    [document] = read_annotated(tmp_path / "second.jsonl")
    assert document.entities == (Entity(3, 7, "dis"),)


@pytest.mark.model
@pytest.mark.parametrize(("labels", "preset"), [("cmeee-v2", ["--preset", "balanced"]), ("ccks2019", [])])
def test_no_entity_of_the_default_begins_or_ends_with_an_edge(tmp_path: Path, labels: str, preset: list[str]) -> None:
    """The taggers that ship, on words between spaces: the right place, and no edges. Any judge sees them trimmed."""
    try:
        ModelStore().path(DEFAULT_MODEL)
    except UserError as error:
        pytest.skip(str(error))
    assert main(["annotate", str(NOTE), "--labels", labels, *preset, "-o", str(tmp_path / "out.jsonl")]) == 0
    [document] = read_annotated(tmp_path / "out.jsonl")
    text = document.document.text
    for entity in document.entities:
        said = entity.text_in(text)
        assert not is_blank(said[0])
        assert not is_blank(said[-1])
        assert not {said[0], said[-1]} & {*MARKS, "的"}
    if labels == "cmeee-v2":
        # COPD alone or with its stage: behind the space in both cases.
        assert next(entity.start for entity in document.entities if entity.label == "dis") == 3
