"""From Python: where entities stand in Word and PDF files, and FHIR."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fhir.resources.R4B.bundle import Bundle

import medner
from tests.store.corpora.document_formats.document_kit import CHIEF_COMPLAINT, pdf_file


def test_entities_of_a_read_document_have_places(tmp_path: Path) -> None:
    """An entity that a user adds gets its place; it goes to JSON lines and back, and to the table."""
    [read] = medner.read(pdf_file(tmp_path / "a.pdf", [["正常。"], [CHIEF_COMPLAINT]]))
    start = read.text.index("胸痛")
    document = medner.Document(
        "a", read.text, (medner.Entity(start, start + 2, "sym"),), places=read.places, kept={"科室": "心内科"}
    )
    [place] = document.entities[0].places
    assert (place.page, place.paragraph) == (2, 1)
    assert isinstance(place, medner.SourcePlace)
    medner.write([document], tmp_path / "a.jsonl")
    [again] = medner.read(tmp_path / "a.jsonl")
    assert again.entities[0].places == document.entities[0].places
    assert again.places == read.places
    frame = document.to_frame()
    assert list(frame[["科室", "page", "paragraph", "part"]].iloc[0]) == ["心内科", 2, 1, ""]


def test_fhir_is_a_format(tmp_path: Path) -> None:
    """With the label set's mapping; what has no resource is counted, with a warning."""
    text = "腹部胸痛"
    document = medner.Document("a", text, (medner.Entity(2, 4, "sym"), medner.Entity(0, 2, "bod")))
    path = tmp_path / "b.json"
    with pytest.warns(UserWarning, match="bod 1"):
        written = medner.write([document], path, format="fhir", labels="cmeee-v2")
    assert (written.documents, written.entities) == (1, 1)
    assert written.losses == {"entities of type bod (no FHIR resource)": 1}
    Bundle.model_validate(json.loads(path.read_text(encoding="utf-8")))
    with pytest.raises(medner.UserError, match="FHIR needs a label set"):
        medner.write([document], path, format="fhir")
    with pytest.raises(medner.UserError, match="fhir_mapping is for"):
        medner.write([document], tmp_path / "a.jsonl", fhir_mapping="m.toml")
