"""`medner annotate` on Word, PDF and CDA, with where each entity stands, and FHIR out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from fhir.resources.R4B.bundle import Bundle

from medner.core.errors import BadInputError, UserError
from medner.service.cli.app import main
from tests.store.corpora.document_formats.document_kit import CHIEF_COMPLAINT, cda, pdf_file, word_file

SECTION = "<component><section><title>既往史</title><text>高血压10年。</text></section></component>"


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "病历"
    folder.mkdir()
    word_file(folder / "一.docx")
    pdf_file(folder / "二.pdf", [["正常。"], [CHIEF_COMPLAINT]])
    (folder / "三.xml").write_text(cda(SECTION), encoding="utf-8")
    (folder / "other.xml").write_text("<settings><a>1</a></settings>", encoding="utf-8")
    return folder


def test_a_folder_gives_entities_with_their_places(kit: Any, tmp_path: Path) -> None:
    """The result says page, paragraph, section and rectangle; XML of other kinds is left out and named."""
    out, table = tmp_path / "out.jsonl", tmp_path / "out.csv"
    ended = kit.run(_folder(tmp_path), "-o", out, "--table", table)
    assert ended.exit_code == 0
    assert "other.xml (no CDA document)" in ended.stderr
    assert "1 headers and footers with text (left out)" in ended.stderr
    found = {one["id"]: {each["text"]: each["places"] for each in one["entities"]} for one in kit.records(out)}
    assert found["一"]["胸痛"] == [{"paragraph": 2}]
    [place] = found["二"]["胸痛"]
    assert (place["page"], place["paragraph"]) == (2, 1)
    assert len(place["box"]) == 4
    assert found["三"]["高血压"] == [{"paragraph": 2, "part": "既往史"}]
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8-sig"))))
    places = {(row["document"], row["text"]): (row["page"], row["paragraph"], row["part"]) for row in rows}
    assert places["一", "胸痛"] == ("", "2", "")
    assert places["二", "胸痛"] == ("2", "1", "")
    assert places["三", "高血压"] == ("", "2", "既往史")


def test_fhir_is_written_beside_the_result_or_alone(kit: Any, tmp_path: Path) -> None:
    """A Bundle that a FHIR library takes, the same from the saved result; no readable view then."""
    bundle, out, again = tmp_path / "b.json", tmp_path / "out.jsonl", tmp_path / "again.json"
    ended = kit.run(_folder(tmp_path), "--fhir", bundle)
    assert (ended.exit_code, ended.stdout) == (0, "")
    Bundle.model_validate_json(bundle.read_text(encoding="utf-8"))
    assert not bundle.with_name("b.json.journal").exists()
    assert kit.run(tmp_path / "病历", "-o", out).exit_code == 0
    assert main(["convert", str(out), "--to", "fhir", "--labels", "cmeee-v2", "-o", str(again)]) == 0
    assert json.loads(again.read_text(encoding="utf-8")) == json.loads(bundle.read_text(encoding="utf-8"))


def test_mistakes_are_told_before_the_work(kit: Any, tmp_path: Path) -> None:
    """A mapping without a file, a name that says no form, an output that is an input."""
    word = word_file(tmp_path / "a.docx")
    for given, reason in (
        (("--fhir-mapping", tmp_path / "m.toml"), "is for --fhir FILE"),
        (("--fhir", tmp_path / "b.xml"), "FHIR is written as .json"),
        (("--fhir", tmp_path / "b.json", "--fhir-mapping", tmp_path / "m.toml"), "cannot be read"),
        (("-o", word), "is an input, and -o"),
    ):
        error = kit.run(word, *given).exception
        assert isinstance(error, UserError)
        assert reason in str(error)
    assert kit.asked == []


def test_a_bad_document_is_left_out_where_the_user_says_so(kit: Any, tmp_path: Path) -> None:
    """Without --skip-bad it stops the run, before a model is asked."""
    word = word_file(tmp_path / "a.docx")
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4\n")
    error = kit.run(word, tmp_path / "b.pdf").exception
    assert isinstance(error, BadInputError)
    assert "the PDF is cut off" in str(error)
    assert kit.asked == []
    ended = kit.run(word, tmp_path / "b.pdf", "--skip-bad", "-o", tmp_path / "out.jsonl")
    assert ended.exit_code == 1
    assert [one["id"] for one in kit.records(tmp_path / "out.jsonl")] == ["a"]


def test_a_document_comes_through_a_pipe(kit: Any, tmp_path: Path) -> None:
    """Standard input is recognised by its content."""
    ended = kit.run("-", "--json", stdin=word_file(tmp_path / "a.docx").read_bytes())
    assert json.loads(ended.stdout)["entities"][0]["places"] == [{"paragraph": 2}]
