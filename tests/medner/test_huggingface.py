"""The forms of Hugging Face: a pipeline's dictionaries, and real data sets in and out."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import medner
from medner.huggingface import MednerPipeline, from_dataset, pipeline, to_dataset
from medner.testing import annotator
from tests.medner.conftest import ONLY, WORDS

datasets = pytest.importorskip("datasets")

TEXT = "患者😀胸痛3天。\r\n查心电图。"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `datasets` keeps goes to the test's folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)


@pytest.fixture
def ner() -> Iterator[MednerPipeline]:
    """A dictionary instead of models."""
    with annotator(WORDS, only=ONLY, judge="best-tagger:json-plain") as loaded:
        yield pipeline().use(loaded)


def test_a_text_gives_the_usual_dictionaries(ner: MednerPipeline) -> None:
    """Exactly the five keys of a token-classification pipeline with aggregated entities."""
    assert ner(TEXT) == [
        {"entity_group": "sym", "score": None, "word": "胸痛", "start": 3, "end": 5},
        {"entity_group": "pro", "score": None, "word": "心电图", "start": 11, "end": 14},
    ]
    assert [TEXT[one["start"] : one["end"]] == one["word"] for one in ner(TEXT)] == [True, True]
    assert ner(" ") == []


def test_lists_and_streams(ner: MednerPipeline) -> None:
    """A list gives a list; a stream one text's after the other, and is not read to its end first."""
    read = 0

    def stream() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield "咳嗽。"

    assert [len(one) for one in ner(["胸痛。", "", "好。", "咳嗽，胸痛。"], batch_size=2)] == [1, 0, 0, 2]
    assert next(ner(stream(), batch_size=4))[0]["word"] == "咳嗽"
    assert read <= 8
    assert [len(one) for one in ner(datasets.Dataset.from_dict({"text": ["胸痛。", "好。"]})["text"])] == [1, 0]
    with pytest.raises(medner.UserError, match="must be a string"):
        ner([1])  # type: ignore[list-item]


ROWS = {"text": ["好。"] * 100 + ["胸痛。", None, "查心电图。"], "n": list(range(103))}


def test_a_data_set_gets_a_column(ner: MednerPipeline) -> None:
    """Also where the first batches have no entity, and where a row has no text."""
    found = ner.map(datasets.Dataset.from_dict(ROWS), batch_size=8)
    assert [len(one) for one in found["entities"]] == [0] * 100 + [1, 0, 1]
    (heart,) = found[102]["entities"]
    assert heart == {"start": 1, "end": 4, "label": "pro", "text": "心电图", "score": None, "decision": "judged"}
    assert found["n"][102] == 102
    splits = ner.map(datasets.DatasetDict({"a": datasets.Dataset.from_dict(ROWS)}), column="ner")
    assert len(splits["a"][100]["ner"]) == 1
    streamed = ner.map(datasets.Dataset.from_dict(ROWS).to_iterable_dataset(), batch_size=8)
    assert [len(row["entities"]) for row in streamed][-3:] == [1, 0, 1]
    with pytest.raises(medner.UserError, match="no column 'note'; text_column names one of text, n"):
        ner.map(datasets.Dataset.from_dict(ROWS), text_column="note")


def test_documents_go_out_and_come_back(tmp_path: Path) -> None:
    """Nested and crossing entities, emoji and CR LF; in memory, as Parquet and as JSON lines."""
    gold = [
        medner.Document(
            "甲", TEXT, (medner.Entity(3, 5, "sym"), medner.Entity(0, 5, "dis"), medner.Entity(4, 8, "bod"))
        ),
        medner.Document("2", "无", ()),
    ]
    table = to_dataset(gold)
    table.to_parquet(tmp_path / "gold.parquet")
    table.to_json(tmp_path / "gold.jsonl", force_ascii=False)
    again = (
        table,
        table.to_iterable_dataset(),
        datasets.Dataset.from_parquet(str(tmp_path / "gold.parquet")),
        datasets.Dataset.from_json(str(tmp_path / "gold.jsonl")),
    )
    for one in again:
        assert [(d.id, d.text, d.entities) for d in from_dataset(one)] == [(d.id, d.text, d.entities) for d in gold]
    assert [one.text for one in medner.read(tmp_path / "gold.jsonl")] == [TEXT, "无"]
    assert to_dataset([]).column_names == ["id", "text", "entities"]


def test_tokens_with_numbered_tags_are_read() -> None:
    """The usual form of NER data sets: tags are numbers, whose names the data set has."""
    names = datasets.ClassLabel(names=["O", "B-临床表现", "I-临床表现"])
    columns = {"tokens": [["患", "者", "咳", "嗽"], ["好"]], "ner_tags": [[0, 0, 1, 2], [0]]}
    features = {"tokens": [datasets.Value("string")], "ner_tags": [names]}
    rows = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    first, second = from_dataset(rows, labels="cmeee-v2")
    assert (first.id, first.text, second.text) == ("row-0", "患者咳嗽", "好")
    assert [(one.text, one.label, one.label_name) for one in first.entities] == [("咳嗽", "sym", "临床表现")]


def test_other_columns_and_plain_rows() -> None:
    """Columns may be named, rows may be any dictionaries, columns of objects may be objects of lists."""
    features = {"entities": datasets.Sequence({"start": datasets.Value("int64")})}
    rows: Any = [{"note": "胸痛", "number": 7, "entities": [{"start": 0, "end": 2, "label": "sym"}]}]
    (found,) = from_dataset(rows, text_column="note", id_column="number")
    assert (found.id, found.entities[0].text) == ("7", "胸痛")
    from medner.huggingface import _named

    spans = {"start": [0, 3], "label": ["a", "b"]}
    assert _named(spans, features["entities"]) in (
        [{"start": 0, "label": "a"}, {"start": 3, "label": "b"}],
        {"start": [0, 3], "label": ["a", "b"]},  # from datasets 4 on such columns say so themselves
    )


def test_a_bad_row_is_named() -> None:
    """By its number, from 1, and by what is wrong."""
    rows: Any = [
        {"text": "胸痛", "entities": []},
        {"text": "胸痛", "entities": [{"start": 0, "end": 9, "label": "sym"}]},
    ]
    with pytest.raises(medner.BadInputError, match=r"^data set:2.*\[0, 9\) is not a span"):
        from_dataset(rows)


def test_a_pipeline_is_sent_to_other_processes_as_its_settings() -> None:
    """So `map` knows a result again, and `num_proc` works; given models stay."""
    one, same = (pickle.dumps(pipeline("ccks2019", preset="fast")) for _ in range(2))
    assert one == same != pickle.dumps(pipeline("ccks2019"))
    with annotator(WORDS) as loaded, pytest.raises(medner.UserError, match="work in one process"):
        pickle.loads(pickle.dumps(pipeline().use(loaded)))("胸痛")  # noqa: S301  made here
    with pytest.raises(medner.UserError, match="preset"):
        pipeline(preset="none")
    with pytest.raises(medner.UserError, match="there is no setting"):
        pipeline(modell="x")


def test_without_datasets_the_pipeline_works() -> None:
    """Only data sets need it, and the message says what to install."""
    code = (
        "import sys; sys.modules['datasets'] = None\n"
        "from medner.huggingface import pipeline, to_dataset\n"
        "from medner.testing import annotator\n"
        "import medner\n"
        "with annotator({'咳嗽': 'sym'}) as nlp: print(pipeline().use(nlp)('咳嗽')[0]['word'])\n"
        "try: to_dataset([])\n"
        "except medner.UserError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "咳嗽\ndatasets is missing: data sets need pip install 'medner[huggingface]'\n"
