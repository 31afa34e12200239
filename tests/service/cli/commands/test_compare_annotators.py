"""`medner compare-annotators` on the exports of each tool, and the files that it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medner.core.records import Document, Entity
from medner.service.cli.app import main
from medner.store.corpora import write_documents
from medner.store.corpora.json_formats.jsonl import read_annotated

TEXT = "患者😊胸部疼痛伴咳嗽三天。"
PAIN, CHEST, COUGH = Entity(3, 7, "sym"), Entity(3, 5, "bod"), Entity(8, 10, "sym")
LI = [Document("a", TEXT, (PAIN, CHEST)), Document("b", TEXT + "无。", (COUGH,))]
WANG = [Document("a", TEXT, (PAIN, COUGH)), Document("b", TEXT + "无。", (COUGH,))]


def task(name: str, text: str, **by: list[Entity]) -> dict[str, Any]:
    """A Label Studio task with the annotations of several."""
    return {
        "id": len(text),
        "data": {"id": name, "text": text},
        "annotations": [
            {
                "completed_by": {"id": number, "email": f"{who}@ward.example"},
                "was_cancelled": False,
                "result": [
                    {
                        "from_name": "label",
                        "to_name": "text",
                        "type": "labels",
                        "value": {"start": one.start, "end": one.end, "text": one.text_in(text), "labels": [one.label]},
                    }
                    for one in entities
                ],
            }
            for number, (who, entities) in enumerate(by.items())
        ],
    }


def report(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, Any]:
    """The JSON report of a run."""
    assert main(["compare-annotators", *map(str, arguments), "--json", "-", "--resamples", "100"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def exported(folder: Path, tool: str) -> list[object]:
    """What li and wang made of the two documents, as a tool exports it; the command's inputs."""
    if tool == "label-studio":
        tasks = [
            task(one.id, one.text, li=list(one.entities), wang=list(other.entities))
            for one, other in zip(LI, WANG, strict=True)
        ]
        (folder / "export.json").write_text(json.dumps(tasks), encoding="utf-8")
        return [folder / "export.json"]
    if tool == "inception":
        for number, (name, documents) in enumerate((("li", LI), ("wang", WANG))):
            for one in documents:
                at = folder / "annotation" / f"{one.id}.txt"
                at.mkdir(parents=True, exist_ok=True)
                suffix, known = ((".tsv", "webanno-tsv"), (".tsv", "webanno-tsv"))[number]
                write_documents([one], at / f"{name}{suffix}", format=known)
                write_documents([Document(one.id, one.text)], at / "INITIAL_CAS.tsv", format=known)
        return [folder / "annotation"]
    for name, documents in (("li", LI), ("wang", WANG)):
        target = folder / (f"{name}.jsonl" if tool == "doccano" else name)
        write_documents(documents, target, format=tool)
    return [folder / (f"{name}.jsonl" if tool == "doccano" else name) for name in ("li", "wang")]


@pytest.mark.parametrize("tool", ["label-studio", "doccano", "brat", "inception", "cas-json", "cas-xmi", "webanno-tsv"])
def test_annotators_of_every_tool(tmp_path: Path, capsys: pytest.CaptureFixture[str], tool: str) -> None:
    """Names, documents, counts and kappa are the same, whatever the annotators worked with."""
    found = report(capsys, *exported(tmp_path, tool))
    assert [one["name"].removesuffix("@ward.example") for one in found["annotators"]] == ["li", "wang"]
    assert (found["documents"], found["shared_documents"]) == (2, 2)
    (pair,) = found["pairs"]
    overall = pair["overall"]
    assert (overall["both"], overall["only_first"], overall["only_second"]) == (2, 1, 1)
    assert overall["f1"]["value"] == pytest.approx(2 / 3)
    assert 0.5 < overall["kappa_spans"]["value"] < 2 / 3
    assert pair["overlapping"]["both"] == 1
    assert pair["kappa_types"]["units"] == 2
    assert pair["differences"]["no_overlap"] == 1
    assert [(one["text"], one["label"]) for one in found["disputed"]] == [("胸部", "bod"), ("咳嗽", "sym")]


def test_names_are_given_before_the_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files of one name take their folder's too; two inputs of one annotator are an error."""
    for name, documents in (("one", LI), ("two", WANG)):
        (tmp_path / name).mkdir()
        write_documents(documents, tmp_path / name / "all.jsonl", format="doccano")
    paths = [tmp_path / "one" / "all.jsonl", tmp_path / "two" / "all.jsonl"]
    assert [one["name"] for one in report(capsys, *paths)["annotators"]] == ["one/all", "two/all"]
    found = report(capsys, f"李={paths[0]}", f"王={paths[1]}")
    assert [one["name"] for one in found["annotators"]] == ["李", "王"]
    assert main(["compare-annotators", f"李={paths[0]}", f"李={paths[1]}"]) == 2
    assert "two inputs of one annotator" in capsys.readouterr().err
    assert main(["compare-annotators", str(paths[0])]) == 2
    assert "there is one annotator, all; name the annotations of a second one" in capsys.readouterr().err


def test_the_text_report_shows_the_first_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the types' names, and the number of all."""
    inputs = [str(one) for one in exported(tmp_path, "brat")]
    assert main(["compare-annotators", *inputs, "--labels", "cmeee-v2", "--show", "1", "--resamples", "100"]) == 0
    told = capsys.readouterr().out
    assert "li / wang" in told
    assert "Entities that not everybody marked: 2, the first 1 here" in told
    assert "患者😊【胸部】疼痛伴咳嗽三天" in told
    assert "身体 bod" in told


def test_three_annotators_have_a_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Over the pairs that share documents; what one alone annotated, or twice, is told."""
    twice = task("a", TEXT, li=[PAIN], wang=[PAIN, COUGH], zhao=[PAIN])
    twice["annotations"].append(twice["annotations"][0])
    tasks = [twice, task("b", "咳嗽。", li=[Entity(0, 2, "sym")])]
    (tmp_path / "export.json").write_text(json.dumps(tasks), encoding="utf-8")
    found = report(capsys, tmp_path / "export.json")
    assert [one["overall"]["f1"]["value"] for one in found["pairs"]] == pytest.approx([2 / 3, 1, 2 / 3])
    assert found["mean"]["f1"] == pytest.approx(7 / 9)
    assert (found["documents"], found["shared_documents"]) == (2, 1)
    assert main(["compare-annotators", str(tmp_path / "export.json"), "--resamples", "100"]) == 0
    told = capsys.readouterr()
    assert "1 document of two annotators or more, 1 of one alone" in told.out
    assert "0.7778" in next(line for line in told.out.splitlines() if line.startswith("mean"))
    assert "there more than once by one annotator" in told.err
    (tmp_path / "copy.json").write_bytes((tmp_path / "export.json").read_bytes())
    inputs = [f"li={tmp_path / 'copy.json'}", tmp_path / "export.json", "--annotator", "zhao@ward.example"]
    found = report(capsys, *inputs)
    assert [one["name"] for one in found["annotators"]] == ["li", "export"]


def test_gold_that_all_taggers_contradict_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From predictions of other formats, a tagger a file; one annotator is enough."""
    write_documents(LI, tmp_path / "gold.jsonl", format="jsonl")
    for name, label in (("span", "dis"), ("symbol", "dis")):
        answers = [Document("x", TEXT, (PAIN, CHEST)), Document("b", LI[1].text, (Entity(8, 10, label),))]
        write_documents(answers, tmp_path / f"{name}.jsonl", format="jsonl")
    inputs = [
        tmp_path / "gold.jsonl",
        "--predictions",
        tmp_path / "span.jsonl",
        "--predictions",
        tmp_path / "symbol.jsonl",
    ]
    found = report(capsys, *inputs)
    assert found["taggers"] == ["span", "symbol"]
    (place,) = found["contradicted"]
    assert (place["document"], place["kind"], place["text"]) == ("b", "other", "咳嗽")
    assert [one["label"] for one in place["gold"] + place["taggers"]] == ["sym", "dis"]
    assert main(["compare-annotators", *map(str, inputs)]) == 0
    assert "all taggers give another entity" in capsys.readouterr().out


def test_disagreements_are_a_result_file_with_a_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What each marked, and the conflicts; entities across a sentence's end are told. `medner annotate` takes it."""
    across = [Document("c", "咳。嗽。", (Entity(0, 3, "sym"),))]
    write_documents(LI + across, tmp_path / "li.jsonl", format="doccano")
    write_documents(WANG + across, tmp_path / "wang.jsonl", format="doccano")
    review = tmp_path / "review.jsonl"
    inputs = [str(tmp_path / "li.jsonl"), str(tmp_path / "wang.jsonl"), "--disagreements", str(review)]
    assert main(["compare-annotators", *inputs]) == 2
    assert "needs --labels" in capsys.readouterr().err
    assert main(["compare-annotators", *inputs, "--labels", "cmeee-v2"]) == 0
    told = capsys.readouterr().err
    assert "2 disagreements in 3 documents" in told
    assert "2 entities across the end of a sentence" in told
    first = next(read_annotated(review))
    assert [one.tagger for one in first.annotations[0].outputs] == ["li", "wang"]
    assert [one.taggers for conflict in first.annotations[0].conflicts for one in conflict.candidates] == [
        ("li",),
        ("wang",),
    ]
    out = tmp_path / "out.jsonl"
    assert main(["annotate", str(review), "--config", str(review.with_suffix(".toml")), "-o", str(out)]) == 0
    assert next(read_annotated(out)).entities == (PAIN,)
