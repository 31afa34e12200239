"""Annotating from Python: one text, a stream of texts, synchronous and asynchronous, and what is refused."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import medner
from medner.testing import TAGGERS, DictionaryEngine, annotator, async_annotator
from tests.medner.conftest import ONLY, WORDS


def test_three_lines(nlp: medner.Annotator) -> None:
    """A text gives a document whose entities say what, of which type, where and why."""
    document = nlp.annotate("患者胸痛3天。查心电图正常。")
    (entity,) = document.entities
    assert (entity.text, entity.label, entity.label_name, entity.start, entity.end) == ("胸痛", "sym", "临床表现", 2, 4)
    assert (entity.decision, entity.taggers, entity.conflict) == ("agreed", ("html-full", "json-plain"), None)
    (conflict,) = document.conflicts
    assert (conflict.text, conflict.judge, conflict.kind) == ("心电图", "hard-vote", "no_overlap")
    assert [(one.text, one.taggers, one.kept) for one in conflict.candidates] == [("心电图", ("json-plain",), False)]
    assert document.complete
    assert nlp.taggers == ("html-full", "json-plain")
    assert "sym" in nlp.labels.codes
    assert "No tagger is tuned" in str(nlp.notice)


def test_a_disputed_entity_knows_its_conflict() -> None:
    """An entity that a judge kept leads to the conflict it comes from."""
    with annotator(WORDS, only=ONLY, judge="best-tagger:json-plain") as nlp:
        document = nlp.annotate("胸痛。查心电图。查心电图。")
    kept = [one for one in document.entities if one.conflict is not None]
    assert [one.text for one in kept] == ["心电图", "心电图"]
    assert [one.conflict for one in kept] == list(document.conflicts)
    assert len({one.id for one in document.conflicts}) == 2
    assert kept[0].decision == "judged"


def test_annotate_keeps_its_models() -> None:
    """The function loads models at its first call and uses them at the next."""
    engine = DictionaryEngine(WORDS)
    settings: dict[str, Any] = {"engine": engine, "taggers": TAGGERS, "judge": "hard-vote"}
    assert medner.annotate("胸痛。", **settings).entities[0].text == "胸痛"
    assert medner.annotate("咳嗽。", "cmeee-v2", **settings).entities[0].text == "咳嗽"
    assert medner.annotate("咳嗽。", "cmeee-v2", **settings).entities[0].text == "咳嗽"
    assert len(engine.requests) == 6


async def test_the_asynchronous_twin() -> None:
    """`async with` loads; calls may overlap; a stream may be asynchronous too."""

    async def texts() -> AsyncIterator[str]:
        for number in range(5):
            yield f"胸痛{number}。"

    async with async_annotator(WORDS) as nlp:
        both = await asyncio.gather(nlp.annotate("胸痛。"), nlp.annotate("咳嗽。", id="second"))
        assert [one.id for one in both] == ["text", "second"]
        found = [document async for document in nlp.pipe(texts())]
    assert [one.text for one in found] == [f"胸痛{number}。" for number in range(5)]


async def test_the_synchronous_form_inside_a_running_loop() -> None:
    """As in a notebook: the calls work where an event loop runs already."""
    with annotator(WORDS) as nlp:
        assert nlp.annotate("胸痛。").entities
        assert [len(one.entities) for one in nlp.pipe(["胸痛。", "咳嗽。", "好。"])] == [1, 1, 0]


def test_many_threads_may_use_one_annotator(nlp: medner.Annotator) -> None:
    """Each call gets the answer to its own text."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: nlp.annotate("咳嗽" * number).entities, range(1, 30)))
    assert [len(one) for one in found] == list(range(1, 30))


@pytest.mark.parametrize("ahead", [1, 4, 64])
def test_pipe_keeps_order_and_bounds_memory(nlp: medner.Annotator, ahead: int) -> None:
    """Any iterable is read a little ahead of the document that is given, never to its end first."""
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        for number in range(200):
            read += 1
            yield f"胸痛{number}。" * (1 + number % 3)

    for number, document in enumerate(nlp.pipe(texts(), ahead=ahead)):
        assert document.text.startswith(f"胸痛{number}。")
        assert document.id == f"text-{number + 1}"
        assert read - number <= ahead
    assert read == 200


async def test_the_asynchronous_pipe_bounds_memory_too() -> None:
    """So does the twin, whatever the consumer's pace."""
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        for number in range(60):
            read += 1
            yield f"胸痛{number}。"

    given = 0
    async with async_annotator(WORDS) as nlp:
        async for document in nlp.pipe(texts(), ahead=5):
            assert document.text == f"胸痛{given}。"
            assert read - given <= 5
            given += 1
            await asyncio.sleep(0)
    assert given == 60


def test_a_stream_without_an_end(nlp: medner.Annotator) -> None:
    """A consumer may stop; what is under way ends, and the annotator goes on."""

    def texts() -> Iterator[str]:
        while True:
            yield "咳嗽。"

    for number, document in enumerate(nlp.pipe(texts())):
        assert document.entities
        if number == 10:
            break
    assert nlp.annotate("胸痛。").entities


def test_blank_texts_in_a_stream_are_documents_without_entities(nlp: medner.Annotator) -> None:
    """So that documents and texts stay side by side."""
    assert [len(one.entities) for one in nlp.pipe(["胸痛。", "", " \u3000\n", "咳嗽。"])] == [1, 0, 0, 1]


def test_documents_keep_their_ids(nlp: medner.Annotator) -> None:
    """A document is annotated under its own id; the entities it had are not the result's."""
    given = medner.Document("n-7", "患者胸痛。", (medner.Entity(0, 2, "sym"),))
    (document,) = nlp.pipe([given])
    assert (document.id, [one.text for one in document.entities]) == ("n-7", ["胸痛"])
    assert [one["text"] for one in document.to_dict()["given"]] == ["患者"]


def test_an_error_of_the_stream_comes_in_its_turn(nlp: medner.Annotator) -> None:
    """Documents before it are given first, in both twins."""

    def texts() -> Iterator[str]:
        yield "胸痛。"
        yield "咳嗽。"
        raise OSError("the file is gone")

    stream = nlp.pipe(texts())
    assert [next(stream).text, next(stream).text] == ["胸痛。", "咳嗽。"]
    with pytest.raises(OSError, match="the file is gone"):
        next(stream)


async def test_an_error_of_the_stream_in_the_twin() -> None:
    """A wrong item is named by its place."""
    async with async_annotator(WORDS) as nlp:
        stream = nlp.pipe(["胸痛。", 3])  # type: ignore[list-item]
        assert (await anext(stream)).text == "胸痛。"
        with pytest.raises(medner.UserError, match=r"text-2: a text must be a string or a medner\.Document, got int"):
            await anext(stream)


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: medner.load("icd-10"), "no label set 'icd-10': give one of cmeee-v2, ccks2019"),
    (lambda: medner.load(taggers=["best"]), "taggers: no tagger 'best'; there are"),
    (lambda: medner.load(taggers=[]), "taggers: must be a list of texts"),
    (lambda: medner.load(tagger="span"), "no setting 'tagger'; taggers is meant?"),  # type: ignore[call-arg]
    (lambda: medner.load(filter="no-such"), "filter: 'no-such' is none; there are off"),
    (lambda: medner.load(preset="slow"), "slow"),
    (lambda: medner.load(judge="king"), "king"),
    (lambda: medner.load(max_chars="8"), "max_chars: must be int, got str"),  # type: ignore[arg-type]
    (lambda: medner.load(max_chars=2), "max_chars"),
    (lambda: medner.load(dtype="f64"), "dtype"),
    (lambda: medner.load(model="no-such-model"), "no-such-model"),
    (lambda: medner.load(config="no/such.toml"), "no/such.toml: cannot be read"),
    (lambda: medner.load(trace="some"), "trace: must be one of all, conflicts, none"),  # type: ignore[arg-type]
    (lambda: medner.annotate(""), "the text is empty"),
    (lambda: medner.annotate(" \u3000"), "the text is empty"),
    (lambda: medner.annotate(None), "a text must be a string"),  # type: ignore[arg-type]
    (lambda: medner.annotate(b"\xe5"), "a text must be a string"),  # type: ignore[arg-type]
    (lambda: medner.annotate("胸\ud83d痛"), "character 1 is half a surrogate pair"),
]


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[message[:30] for _, message in WRONG])
def test_bad_input_says_the_way_out(
    call: Callable[[], object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A UserError in one line, in the words of Python, before any model is loaded."""
    monkeypatch.setenv("MEDNER_HOME", str(tmp_path))
    with pytest.raises(medner.UserError) as told:
        call()
    assert message in str(told.value)
    assert "\n" not in str(told.value)
    assert "--taggers" not in str(told.value)


@pytest.mark.parametrize("texts", ["胸痛。", 7, {"a": "胸痛"}, medner.Document("d", "胸痛")])
def test_a_stream_must_be_one(nlp: medner.Annotator, texts: Any) -> None:
    """A single text would be read letter by letter; it is refused."""
    with pytest.raises(medner.UserError, match="pipe takes a list or another iterable of texts"):
        nlp.pipe(texts)
    with pytest.raises(medner.UserError, match="ahead must be at least 1"):
        nlp.pipe([], ahead=0)


def test_a_closed_annotator_says_so() -> None:
    """Closing twice does nothing; using it afterwards is refused; an unopened twin too."""
    with annotator(WORDS) as nlp:
        pass
    nlp.close()
    with pytest.raises(medner.UserError, match="is closed"):
        nlp.annotate("胸痛。")
    with pytest.raises(medner.UserError, match="no models are loaded"):
        asyncio.run(async_annotator(WORDS).annotate("胸痛。"))


def test_an_annotator_that_is_dropped_frees_its_models() -> None:
    """A name that is bound anew in a notebook must not keep the models of before in memory."""
    closed = threading.Event()

    class Watched(DictionaryEngine):
        async def close(self) -> None:
            closed.set()

    nlp = medner.load(engine=Watched(WORDS), taggers=TAGGERS, judge="hard-vote")
    assert nlp.annotate("胸痛。").entities
    del nlp
    gc.collect()
    assert closed.wait(20)


def _in_a_child(nlp: medner.Annotator, queue: Any) -> None:
    try:
        nlp.annotate("胸痛。")
    except medner.UserError as error:
        queue.put(str(error))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_is_told(nlp: medner.Annotator) -> None:
    """Its loop does not run there: an error, where it would wait for ever."""
    fork = multiprocessing.get_context("fork")
    queue = fork.Queue()
    child = fork.Process(target=_in_a_child, args=(nlp, queue))
    child.start()
    assert "make one in each process" in queue.get(timeout=30)
    child.join()


def test_what_an_agent_could_not_do_is_in_the_document() -> None:
    """A sentence without a result is no error: the document says what failed and that it is not complete."""

    class Broken(DictionaryEngine):
        def _answer_by_words(self, request: Any) -> Any:
            if "胸痛" in request.messages[-1].content:
                return medner.ExternalError("out of memory")
            return super()._answer_by_words(request)

    with medner.load(engine=Broken(WORDS), taggers=TAGGERS, judge="hard-vote") as nlp:
        document = nlp.annotate("胸痛。咳嗽。")
    assert not document.complete
    assert [one.text for one in document.entities] == ["咳嗽"]
    assert any("out of memory" in failure for failure in document.failures)
