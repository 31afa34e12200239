"""JSON that people and tools write: read as meant, or refused in one line with the way out."""

from pathlib import Path

import pytest

from medner.core.errors import BadInputError
from medner.service.cli.app import main
from medner.store.corpora import Note, ReadOptions, read_documents

CASES = Path(__file__).parent
EXPORTS = "25-hospital-exports"
DOCCANO = "21-doccano-variants"
STUDIO = "22-labelstudio-variants"

#: File, format, and each document's entities as (start, end, label).
READ = [
    ("06-ccks-array/ccks2020.json", "ccks", [[(3, 5, "疾病和诊断")]]),
    ("07-cmeee-jsonl/train.jsonl", "cmeee", [[(2, 6, "sym")]]),
    ("07-cmeee-jsonl/xusenlin.jsonl", "doccano", [[(2, 6, "sym")]]),
    ("08-cmeee-test-noentities/CMeEE_test.json", "cmeee", [[], []]),
    ("09-cmeee-test-empty/CMeEE_test.json", "cmeee", [[], []]),
    ("10-cmeee-pred-noname/pred.json", "cmeee", [[(0, 4, "sym"), (0, 1, "bod")]]),
    ("11-imcs-ner/train.json", "json", [[(2, 4, "Symptom")]]),
    *(
        (f"{DOCCANO}/{name}", "doccano", [[(0, 2, "sym")]])
        for name in ["b.jsonl", "c.jsonl", "d.jsonl", "f.json", "h.jsonl"]
    ),
    *((f"{DOCCANO}/{name}", "doccano", [[(0, 2, "sym")]]) for name in ["i.jsonl", "j.jsonl", "l.jsonl"]),
    (f"{DOCCANO}/e.jsonl", "doccano", [[(9, 11, "sym")]]),
    (f"{DOCCANO}/m.jsonl", "doccano", [[(0, 2, "sym"), (7, 9, "sym")]]),
    (f"{DOCCANO}/k.jsonl", "doccano", [[]]),
    (f"{DOCCANO}/p_null_label.jsonl", "doccano", [[]]),
    *(
        (f"{STUDIO}/{name}", "label-studio", [[(0, 2, "sym")]])
        for name in [
            "a.json",
            "b_min.json",
            "c_completions.json",
            "d_pred.json",
            "e_two.json",
            "g_rel.json",
            "h_field.json",
            "l_hyper.json",
            "o_float.json",
            "r_single.json",
            "u_jsonl.jsonl",
            "v_pred_ids.json",
            "w_cancel_null.json",
            "y_meta.json",
            "za_global.json",
            "zd_gt.json",
        ]
    ),
    (f"{STUDIO}/q_two_labels.json", "label-studio", [[(0, 2, "dis"), (0, 2, "sym")]]),
    (f"{STUDIO}/j_utf16.json", "label-studio", [[(1, 3, "sym")]]),
    (f"{STUDIO}/k_spaces.json", "label-studio", [[(0, 4, "sym")]]),
    (f"{STUDIO}/p_crlf.json", "label-studio", [[(4, 6, "sym")]]),
    *(
        (f"{STUDIO}/{name}", "label-studio", [[]])
        for name in [
            "f_cancel.json",
            "s_tasks_only.json",
            "t_anno_null.json",
            "z_result_null.json",
            "zb_dataid_float.json",
        ]
    ),
    *(
        (f"{EXPORTS}/{name}", "json", [[(2, 4, "sym")]])
        for name in [
            "cluener.json",
            "gliner.json",
            "mrc.json",
            "spacy.json",
            "spacy_doc.json",
            "tplinker.json",
            "hf_tokens.jsonl",
            "langextract.jsonl",
            "prodigy.jsonl",
        ]
    ),
    (f"{EXPORTS}/uie.jsonl", "json", [[(2, 4, "症状")]]),
    (f"{EXPORTS}/strings.json", "json", [[], []]),
    *(
        (f"{EXPORTS}/{name}", "jsonl", [[]])
        for name in ["object.json", "object_pretty.json", "notes_text_meta.jsonl", "notes_text_only.jsonl"]
    ),
    ("42-evaluate-says-nothing/gold_hyper.json", "label-studio", [[(2, 8, "dis")]]),
    ("42-evaluate-says-nothing/gold_old_labelstudio.json", "label-studio", [[(2, 8, "dis")]]),
]

REFUSED = [
    ("07-cmeee-jsonl/xusenlin_wrong.jsonl", "said to be '胸部疼痛'"),
    ("10-cmeee-pred-noname/pred_undecidable.json", "--end inclusive or --end exclusive"),
    (f"{DOCCANO}/a.jsonl", "the label is the number 7"),
    (f"{DOCCANO}/o_over.jsonl", "not a span of the text"),
    (f"{DOCCANO}/q_classification.jsonl", "no place in the text"),
    (f"{DOCCANO}/r_text_null.jsonl", "the text is null.*--skip-bad"),
    (f"{STUDIO}/m_nolabels.json", "places without a label"),
    (f"{STUDIO}/n_emptylabels.json", "places without a label"),
    (f"{STUDIO}/x_number_text.json", "the text is a number"),
    (f"{STUDIO}/zc_empty_text.json", "record 2.*the text is null"),
    (f"{EXPORTS}/fhir.json", "a FHIR resource"),
    (f"{EXPORTS}/cmeie.jsonl", "relations without offsets.*--text-key text"),
    (f"{EXPORTS}/notes_content.jsonl", "'patient_id', 'content'.*--text-key content"),
    ("42-evaluate-says-nothing/gold_old_doccano.jsonl", "the label is the number 3"),
]


@pytest.mark.parametrize(("name", "format_", "expected"), READ, ids=[name for name, *_ in READ])
def test_a_file_is_read_as_meant(name: str, format_: str, expected: list[list[tuple[int, int, str]]]) -> None:
    """Format, offsets and labels are those that the file's maker had in mind."""
    reading = read_documents(CASES / name)
    found = [[(one.start, one.end, one.label) for one in document.entities] for document in reading]
    assert (reading.format.name, found) == (format_, expected)


@pytest.mark.parametrize(("name", "reason"), REFUSED, ids=[name for name, _ in REFUSED])
def test_a_file_is_refused_in_one_line(name: str, reason: str) -> None:
    """The line names the file, the reason and the way out."""
    with pytest.raises(BadInputError, match=reason) as caught:
        list(read_documents(CASES / name))
    assert "\n" not in str(caught.value)
    assert str(CASES / name) in str(caught.value)


def test_options_say_what_a_file_does_not_tell() -> None:
    """--text-key, --id-key, --end and --annotator reach the reader."""
    content = read_documents(
        CASES / EXPORTS / "notes_content.jsonl", options=ReadOptions(text_key="content", id_key="patient_id")
    )
    assert [(one.id, one.text) for one in content] == [("1", "患者咳嗽三天")]
    undecided = CASES / "10-cmeee-pred-noname" / "pred_undecidable.json"
    said = (ReadOptions(end="inclusive"), ReadOptions(end="exclusive"))
    assert [next(read_documents(undecided, options=options)).entities[0].end for options in said] == [6, 5]
    two = CASES / STUDIO / "e_two.json"
    assert next(read_documents(two, options=ReadOptions(annotator="2"))).entities[0].label == "bod"
    with pytest.raises(BadInputError, match="by '1', '2'"):
        list(read_documents(two, options=ReadOptions(annotator="3")))


def test_every_annotator_is_read() -> None:
    """Each finished annotation is a document of its own that names its annotator; nobody's work is none."""
    every = ReadOptions(annotator="*")
    plain = next(read_documents(CASES / STUDIO / "e_two.json"))
    found = list(read_documents(CASES / STUDIO / "e_two.json", options=every))
    assert [one.id for one in found] == [f"{plain.id}@1", f"{plain.id}@2"]
    assert {one.text for one in found} == {plain.text}
    assert [entity.label for one in found for entity in one.entities][-1] == "bod"
    assert len({one.entities for one in found}) == 2
    (minimal,) = read_documents(CASES / STUDIO / "b_min.json", options=every)
    assert "@" in minimal.id
    (only,) = read_documents(CASES / STUDIO / "a.json", options=every)
    assert only.id.count("@") == 1
    with pytest.raises(BadInputError, match="no task here has a finished annotation"):
        list(read_documents(CASES / STUDIO / "d_pred.json", options=every))


def test_what_is_left_out_is_counted() -> None:
    """Further annotators, cancelled work, other layers and unknown keys are notes."""
    notes = {name: read_documents(CASES / STUDIO / name) for name in ("e_two.json", "f_cancel.json", "g_rel.json")}
    for reading in notes.values():
        list(reading)
    assert notes["e_two.json"].notes[Note.OTHER_ANNOTATOR] == 1
    assert notes["f_cancel.json"].notes[Note.CANCELLED] == 1
    assert notes["g_rel.json"].notes[Note.OTHER_LAYER] == 3
    meta = read_documents(CASES / EXPORTS / "notes_text_meta.jsonl")
    list(meta)
    assert meta.dropped_keys == {"dept": 1}


@pytest.mark.parametrize("to", ["doccano", "label-studio", "jsonl"])
@pytest.mark.parametrize("name", [f"{STUDIO}/a.json", f"{DOCCANO}/i.jsonl", f"{DOCCANO}/b.jsonl"])
def test_ids_survive_a_conversion(name: str, to: str, tmp_path: Path) -> None:
    """They are written where the tool keeps them when it imports the file and exports it again."""
    (before,) = read_documents(CASES / name)
    assert main(["convert", str(CASES / name), "--to", to, "-o", str(tmp_path / "out")]) == 0
    (after,) = read_documents(tmp_path / "out")
    assert (after.id, after.text, after.entities) == (before.id, before.text, before.entities)


def test_evaluate_says_why_there_is_no_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Gold that is not understood is an error; labels that do not match are said, with the option that helps."""
    folder = CASES / "42-evaluate-says-nothing"
    predictions = str(folder / "pred.jsonl")
    assert main(["evaluate", str(folder / "gold_old_doccano.jsonl"), predictions]) == 2
    assert main(["evaluate", str(folder / "gold_hyper.json"), predictions, "--resamples", "100"]) == 0
    capsys.readouterr()
    gold = tmp_path / "gold.jsonl"
    entity = '{"start": 2, "end": 8, "label": "疾病"}'
    gold.write_text(f'{{"id": "1", "text": "患者右肺上叶腺癌术后。", "entities": [{entity}]}}', encoding="utf-8")
    assert main(["evaluate", str(gold), predictions, "--resamples", "100"]) == 0
    out = capsys.readouterr().out
    assert "none of its labels (dis) is a label of" in out
    assert "--labels" in out
    gold.write_text('{"id": "1", "text": "患者右肺上叶腺癌术后。"}', encoding="utf-8")
    assert main(["evaluate", str(gold), predictions, "--resamples", "100"]) == 0
    assert "holds no entity" in capsys.readouterr().out


def test_evaluate_skips_bad_records_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """With --skip-bad the rest is scored, the bad are listed, and the exit code is 1."""
    path = str(CASES / STUDIO / "zc_empty_text.json")
    assert main(["evaluate", path, path, "--skip-bad", "--resamples", "100"]) == 1
    err = capsys.readouterr().err
    assert "record 2" in err
    assert "bad records skipped" in err


def test_commands_that_read_say_what_was_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """evaluate and compare do, as convert does."""
    path = str(CASES / STUDIO / "e_two.json")
    assert main(["evaluate", path, path, "--resamples", "100"]) == 0
    assert "further annotations of the same task" in capsys.readouterr().err
    assert main(["compare", path, path, path, "--resamples", "100"]) == 0
    assert "further annotations of the same task" in capsys.readouterr().err
