"""`medner annotate` on every kind of input and output, with a scripted engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medner.core.errors import BadInputError, ExternalError, UserError
from medner.core.records import AnnotatedDocument, Document
from medner.service.annotate.counts import RunCounts
from medner.service.annotate.documents import Annotating
from medner.service.annotate.run import Order, annotate_inputs
from medner.service.build.pipeline import assembled
from medner.service.config.default import default_configuration
from medner.service.inputs.splitting import Splitting
from medner.store.corpora import annotated_to_line


def test_a_text_is_shown_with_its_entities(kit: Any) -> None:
    """The readable view has type, text, place, and a mark at what was disputed."""
    result = kit.run("--text", "患者胸痛3天。查心电图正常。")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "患者胸痛3天。",
        "  临床表现: 胸痛 [2,4)",
        "查心电图正常。",
        "  医疗程序: 心电图 [8,11)  *",
    ]
    assert "* disputed" in result.stderr
    assert "No tagger is tuned" in result.stderr


def test_standard_output_of_json_is_nothing_but_the_documents(kit: Any) -> None:
    """With --json every line of standard output is a document; remarks go to standard error."""
    result = kit.run("--text", "既往高血压，口服阿司匹林。", "--json")
    [record] = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["text"] for one in record["entities"]] == ["高血压", "阿司匹林"]
    assert record["id"] == "text"
    assert "1 of 1 sentences" in result.stderr


def test_a_folder_is_read_with_its_subfolders(kit: Any, tmp_path: Path) -> None:
    """Files of several formats are found; ids of text files are their places below the folder."""
    notes = tmp_path / "病历"
    (notes / "内科").mkdir(parents=True)
    (notes / "内科" / "张某 门诊.txt").write_text("胸痛。", encoding="utf-8")
    (notes / "一.txt").write_text("咳嗽。", encoding="utf-8")
    (notes / "more.jsonl").write_text('{"id": "x", "text": "高血压。"}\n', encoding="utf-8")
    (notes / "scan.png").write_bytes(b"\x89PNG")
    assert kit.run(notes, "-o", tmp_path / "结果.jsonl").exit_code == 0
    written = kit.records(tmp_path / "结果.jsonl")
    assert {one["id"]: one["entities"][0]["text"] for one in written} == {
        "一": "咳嗽",
        "内科/张某 门诊": "胸痛",
        "x": "高血压",
    }
    assert not (tmp_path / "结果.jsonl.journal").exists()


def test_standard_input_is_an_input(kit: Any) -> None:
    """`-` reads text or records from standard input, whose name stands in errors."""
    assert "临床表现: 胸痛 [0,2)" in kit.run("-", stdin="胸痛。".encode()).stdout
    lines = b'{"id": "a", "text": "\xe5\x92\xb3\xe5\x97\xbd"}\n{"id": "b", "text": "x"}\n'
    result = kit.run("-", "--json", "--limit", "1", stdin=lines)
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["a"]
    error = kit.run("-", stdin=b"\x00\x01\x02").exception
    assert isinstance(error, BadInputError)
    assert str(error).startswith("standard input: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["患者胸痛3天。" * 60], "--text"),
        ([], "nothing to annotate"),
        (["--text", "  "], "empty"),
        (["--text", "胸痛", "-"], "either INPUT or --text"),
        (["--text", "胸痛", "-o", "no/such/folder/out.jsonl"], "there is no folder"),
        (["--text", "胸痛", "--html", "."], "is a folder"),
        (["--text", "胸痛", "--format", "xml"], "no format 'xml'"),
        (["--text", "胸痛", "--labels", "icd"], "no label set"),
        (["--text", "胸痛", "--taggers", "best"], "no tagger 'best'; there are"),
    ],
)
def test_a_wrong_order_says_the_way_out(kit: Any, arguments: list[str], said: str) -> None:
    """What cannot be done is a UserError before any model is asked."""
    error = kit.run(*arguments).exception
    assert isinstance(error, UserError)
    assert said in str(error)
    assert not kit.asked


def test_inputs_are_looked_at_before_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a model here, a wrong input is still what is told first: it needs no download to be seen."""
    monkeypatch.setenv("MEDNER_HOME", str(tmp_path))
    cut = tmp_path / "cut.json"
    cut.write_text('[{"text": "发热", "entities": []}, {"text": "咳', encoding="utf-8")
    with pytest.raises(UserError, match="cut off"):
        annotate_inputs(Order(inputs=(str(cut),)))
    with pytest.raises(UserError, match="models pull"):
        annotate_inputs(Order(text="发热"))


def test_bad_inputs_are_skipped_and_listed_when_asked(kit: Any, tmp_path: Path) -> None:
    """One bad file ends the run by its name; with --skip-bad the others are annotated and the exit code is 1."""
    (tmp_path / "a.txt").write_bytes(b"")
    (tmp_path / "b.txt").write_bytes(b"\x00\xff")
    (tmp_path / "c.txt").symlink_to("c.txt")
    (tmp_path / "d.txt").write_text("胸痛。", encoding="utf-8")
    (tmp_path / "e.jsonl").write_text('{"text": "咳嗽"}\n{"text":\n', encoding="utf-8")
    error = kit.run(tmp_path).exception
    assert isinstance(error, BadInputError)
    assert str(tmp_path / "a.txt") in str(error)
    result = kit.run(tmp_path, "--skip-bad", "--json")
    assert result.exit_code == 1
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["d", "e-1"]
    skipped = [line for line in result.stderr.splitlines() if line.startswith("skipped: ")]
    assert [name for line, name in zip(skipped, "abce", strict=True) if f"{name}." in line] == list("abce")


def test_the_page_is_written(kit: Any, tmp_path: Path) -> None:
    """--html writes a page with the entities, the configuration and the notice, in the language asked for."""
    page = tmp_path / "页.html"
    assert kit.run("--text", "查心电图。", "--html", page, "--language", "en").exit_code == 0
    html = page.read_text(encoding="utf-8")
    assert "心电图" in html
    assert "No tagger is tuned" in html
    assert 'lang="en"' in html


def test_a_failed_sentence_makes_the_exit_code_one(kit: Any) -> None:
    """Where no tagger answers, the others go on; count and first reason are said."""
    kit.before = lambda strategy, sentence: ExternalError("out of memory") if "胸痛" in sentence else None
    result = kit.run("--text", "胸痛。咳嗽。")
    assert result.exit_code == 1
    assert "1 sentences have no result; the first: html-full: out of memory" in result.stderr
    assert "! no result" in result.stdout
    assert "临床表现: 咳嗽 [3,5)" in result.stdout


def test_one_tagger_less_is_said_and_no_failure(kit: Any) -> None:
    """A sentence that one tagger answered has a result; the missing answer is counted."""
    kit.before = lambda strategy, sentence: ExternalError("gone") if strategy == "html" else None
    result = kit.run("--text", "胸痛。")
    assert result.exit_code == 0
    assert "1 sentences lack an agent's answer" in result.stderr


async def _annotated(
    kit: Any, documents: Iterator[Document], size: int, results: list[AnnotatedDocument] | None = None
) -> list[AnnotatedDocument]:
    results = [] if results is None else results
    configuration = default_configuration(adapters=()).model_copy(update={"concurrency": size})
    async with assembled(configuration, engine_factory=kit.factory) as pipeline:
        await Annotating(pipeline, RunCounts(0)).run(map(Splitting(256).split, documents), results.append)
    return results


_TEXT = st.lists(
    st.sampled_from(
        ["胸痛", "高血压", "心电图", "。", "\r\n", "\t", "😀", "𠮷", "Ａ１", "e\u0301", "，", " ", "[", "<"]
    ),
    max_size=30,
).map("".join)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_TEXT, max_size=5))
def test_every_offset_is_one_of_the_document(kit: Any, texts: list[str]) -> None:
    """Whatever the text holds, each entity emitted stands literally at its offsets, and results keep their order."""
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    results = asyncio.run(_annotated(kit, iter(documents), 3))
    assert [result.document for result in results] == documents
    for result, text in zip(results, texts, strict=True):
        for entity in json.loads(annotated_to_line(result))["entities"]:
            assert text[entity["start"] : entity["end"]] == entity["text"]
        assert text.count("胸痛") == sum(entity.text_in(text) == "胸痛" for entity in result.entities)


def test_short_documents_run_together_and_memory_stays_bounded(kit: Any) -> None:
    """Documents of one sentence fill the window; no more are read than fit it."""
    read = ahead = together = 0
    results: list[AnnotatedDocument] = []

    def documents() -> Iterator[Document]:
        nonlocal read
        for number in range(40):
            read += 1
            yield Document(str(number), f"胸痛{number}。")

    def watch(strategy: str, sentence: str) -> None:
        nonlocal ahead, together
        asked = len({text for _, text in kit.asked})
        ahead, together = max(ahead, read - asked), max(together, asked - len(results))

    kit.before = watch
    asyncio.run(_annotated(kit, documents(), 4, results))
    assert [one.document.id for one in results] == [str(number) for number in range(40)]
    assert ahead <= 6
    assert 2 <= together <= 8


def test_the_engine_is_closed_and_gets_the_adapters(kit: Any, tmp_path: Path) -> None:
    """An error inside still closes the engine; the order names each adapter by its tagger."""
    configuration = default_configuration(adapters=())
    tuned = configuration.taggers[0].model_copy(update={"adapter": tmp_path})
    configuration = configuration.model_copy(update={"taggers": (tuned, *configuration.taggers[1:]), "max_rows": 3})

    async def fail() -> None:
        async with assembled(configuration, engine_factory=kit.factory) as pipeline:
            assert [one.adapter for one in pipeline.deps.taggers] == ["html-full", None]  # type: ignore[attr-defined]
            raise KeyError

    with pytest.raises(KeyError):
        asyncio.run(fail())
    [order] = kit.orders
    assert (order.model, order.adapters, order.max_rows) == (None, {"html-full": tmp_path}, 3)
    assert order.at_once == 16 * len(configuration.taggers)
