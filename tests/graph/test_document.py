"""A document through the graph: places, what is done once, what ends a run, how much is under way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medner.core.errors import ExternalError, UserError
from medner.core.labels import load_label_set
from medner.core.records import AnnotatedDocument, Annotation, Decoded, Document, Entity, Sentence, TaggerOutput
from medner.graph import Deps, Pipeline

LABELS = load_label_set("cmeee-v2")
NOTE = Document("note", "患者😀咽痛3天。\r\n\t查体：咽部充血；𠮷林来诊。\n\n咽痛已缓解。")


@dataclass(frozen=True)
class Marks:
    """Tags every 咽痛 and 𠮷, after awaiting ``before``; keeps the ids of the sentences it got."""

    before: Callable[[Sentence], Awaitable[None]] | None = None
    got: list[str] = field(default_factory=list)
    name: str = "marks"

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        self.got.append(sentence.id)
        if self.before is not None:
            await self.before(sentence)
        entities = [
            Entity(start, start + len(part), "sym")
            for part in ("咽痛", "𠮷")
            for start in range(len(sentence.text))
            if sentence.text.startswith(part, start)
        ]
        return TaggerOutput(self.name, "", Decoded(tuple(entities)))


async def annotate(tagger: Marks, document: Document = NOTE, concurrency: int = 16, **options) -> AnnotatedDocument:
    async with asyncio.timeout(60):
        pipeline = Pipeline(Deps(LABELS, (tagger,)), concurrency=concurrency)
        return await pipeline.annotate_document(document, **options)


async def test_offsets_are_the_documents() -> None:
    """Emoji, rare characters, CRLF and tabs before an entity do not shift it."""
    result = await annotate(Marks())
    texts = [entity.text_in(NOTE.text) for entity in result.entities]
    assert texts == ["咽痛", "𠮷", "咽痛"]
    assert [entity.start for entity in result.entities] == [3, NOTE.text.index("𠮷"), NOTE.text.rindex("咽痛")]
    assert [annotation.sentence.document_id for annotation in result.annotations] == ["note"] * len(result.annotations)


@given(
    st.lists(st.sampled_from(["咽痛", "𠮷", "。", "\r\n", " ", "，", "😀", "\t", "；", "a."]), max_size=30).map("".join)
)
@settings(max_examples=40, deadline=None)
def test_every_entity_stands_where_it_says(text: str) -> None:
    """Whatever the document, each result's offsets give its text, and sentences come in order."""
    result = asyncio.run(annotate(Marks(), Document("any", text)))
    assert {entity.text_in(text) for entity in result.entities} <= {"咽痛", "𠮷"}
    assert len(result.entities) == text.count("咽痛") + text.count("𠮷")
    offsets = [annotation.sentence.offset for annotation in result.annotations]
    assert offsets == sorted(set(offsets))
    for annotation in result.annotations:
        assert text.startswith(annotation.sentence.text, annotation.sentence.offset)


@pytest.mark.parametrize("text", ["", " \n\t\u3000\r\n"])
async def test_a_document_without_sentences(text: str) -> None:
    """Is annotated at once, without asking anyone."""
    tagger = Marks()
    document = Document("empty", text)
    assert await annotate(tagger, document) == AnnotatedDocument(document, ())
    assert tagger.got == []


async def test_finished_sentences_are_not_done_again() -> None:
    """Only what is missing is tagged and announced, each sentence once; the result is the same as in one go."""
    whole = await annotate(Marks())
    kept = whole.annotations[0]
    told: list[str] = []

    async def tell(annotation: Annotation) -> None:
        told.append(annotation.sentence.id)

    tagger = Marks()
    resumed = await annotate(tagger, finished={kept.sentence.id: kept}, on_sentence=tell)
    rest = [annotation.sentence.id for annotation in whole.annotations[1:]]
    assert sorted(tagger.got) == sorted(told) == sorted(rest)
    assert resumed.annotations[0] is kept
    assert resumed.entities == whole.entities


async def test_a_finished_sentence_must_be_the_same_sentence() -> None:
    """An annotation of an older text under the same id is not taken over."""
    older = Annotation(Sentence("note#0", "患者咽痛。", 0, "note"))
    tagger = Marks()
    result = await annotate(tagger, finished={"note#0": older})
    assert "note#0" in tagger.got
    assert older not in result.annotations


async def test_cancelling_reaches_every_tagger() -> None:
    """The run ends as cancelled, and so does each tagger that was at work."""
    all_began, never = asyncio.Event(), asyncio.Event()
    began: list[str] = []
    ended: list[str] = []

    async def wait(sentence: Sentence) -> None:
        began.append(sentence.id)
        if len(began) == 3:
            all_began.set()
        try:
            await never.wait()
        except asyncio.CancelledError:
            ended.append(sentence.id)
            raise

    run = asyncio.create_task(annotate(Marks(wait), Document("note", "一。二。三。")))
    await all_began.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert sorted(ended) == sorted(began) == ["note#0", "note#1", "note#2"]


async def test_a_users_mistake_ends_the_document() -> None:
    """The error comes out as it is, and sentences under way are cancelled."""
    others_began, never = asyncio.Event(), asyncio.Event()
    began: list[str] = []
    ended: list[str] = []

    async def fail(sentence: Sentence) -> None:
        if sentence.text == "二。":
            await others_began.wait()
            raise UserError("no such adapter")
        began.append(sentence.id)
        if len(began) == 2:
            others_began.set()
        try:
            await never.wait()
        except asyncio.CancelledError:
            ended.append(sentence.id)
            raise

    with pytest.raises(UserError, match="no such adapter"):
        await annotate(Marks(fail), Document("note", "一。二。三。"))
    assert sorted(ended) == ["note#0", "note#2"]


async def test_a_failed_sentence_does_not_end_the_document() -> None:
    """It is there, not complete, and the others have their results."""

    async def fail(sentence: Sentence) -> None:
        if sentence.id.endswith("#0"):
            raise ExternalError("gone")

    result = await annotate(Marks(fail))
    assert [annotation.complete for annotation in result.annotations] == [False, True, True, True]
    assert len(result.entities) == 2


async def test_a_callback_that_fails_ends_the_run() -> None:
    """What cannot be written down must not be taken for done."""

    async def full(annotation: Annotation) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await annotate(Marks(), on_sentence=full)


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_concurrency_is_reached_and_kept(concurrency: int) -> None:
    """As many sentences are under way as allowed, never one more."""
    full = asyncio.Event()
    now = most = 0

    async def count(sentence: Sentence) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        if now == concurrency:
            full.set()
        await full.wait()
        now -= 1

    result = await annotate(Marks(count), Document("note", "咽痛。" * 12), concurrency=concurrency)
    assert most == concurrency
    assert len(result.entities) == 12


async def test_two_thousand_sentences() -> None:
    """A very long document is one run: no recursion limit, nothing lost, order kept."""
    result = await annotate(Marks(), Document("long", "咽痛。" * 2_000))
    assert [entity.start for entity in result.entities] == list(range(0, 6_000, 3))
