"""The journal: what is finished is on disk, is found again, and is never mixed with something else."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from medner.core.errors import ExternalError, UserError
from medner.core.records import (
    AnnotatedEntity,
    Annotation,
    Candidate,
    Conflict,
    ConflictKind,
    Decision,
    Entity,
    Sentence,
    Span,
    Verdict,
)
from medner.service.annotate.journal import RunIdentity, journal_path, open_journal

IDENTITY = RunIdentity("f1", {"a.txt": "1"})


def _annotation(text: str) -> Annotation:
    entity = AnnotatedEntity(Entity(0, 2, "sym"), Decision.AGREED, ("a", "b"), 0.5)
    return Annotation(Sentence("a#0", text, 0, "a"), (entity,), timings={"tag:a": 0.25})


def _fill(output: Path, *texts: str) -> None:
    with open_journal(output, IDENTITY) as journal:

        async def add() -> None:
            await asyncio.gather(*(journal.add(_annotation(text)) for text in texts))

        asyncio.run(add())


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "结果.jsonl"


def test_a_finished_sentence_comes_back_at_its_new_place(output: Path) -> None:
    """An annotation survives the file, and belongs to the sentence it is asked for."""
    _fill(output, "胸痛1", "胸痛2")
    with open_journal(output, IDENTITY) as journal:
        assert journal.resumed == 2
        elsewhere = Sentence("b#7", "胸痛2", 40, "b")
        known = journal.known(elsewhere)
        assert known is not None
        assert (known.sentence, known.entities, known.timings) == (
            elsewhere,
            _annotation("胸痛2").entities,
            {"tag:a": 0.25},
        )
        assert journal.known(Sentence("a#0", "胸痛3")) is None


def test_candidates_of_no_tagger_and_what_was_left_out_come_back(output: Path) -> None:
    """A run that questions scores goes on with all that its first part found."""
    maybe = Candidate(Entity(0, 2, "sym"), (), 0.2)
    conflict = Conflict("c0", Span(0, 2), ConflictKind.MAYBE, (maybe,))
    verdict = Verdict("c0", (maybe.entity,), (), "filter-score", "1", "filter-score")
    kept = AnnotatedEntity(maybe.entity, Decision.JUDGED, (), 0.2, "c0")
    sentence = Sentence("a#0", "胸痛", 0, "a")
    annotation = Annotation(sentence, (kept,), conflicts=(conflict,), verdicts=(verdict,), left_out={"maybe": 2})
    with open_journal(output, IDENTITY) as journal:
        asyncio.run(journal.add(annotation))
    with open_journal(output, IDENTITY) as journal:
        assert journal.known(sentence) == annotation


def test_a_sentence_of_an_earlier_journal_has_left_nothing_out(output: Path) -> None:
    """Lines that were written before there was the key are read."""
    _fill(output, "胸痛1")
    path = journal_path(output)
    path.write_bytes(path.read_bytes().replace(b', "left_out": {}', b""))
    assert b"left_out" not in path.read_bytes()
    with open_journal(output, IDENTITY) as journal:
        assert journal.known(Sentence("a#0", "胸痛1", 0, "a")) == _annotation("胸痛1")


@pytest.mark.parametrize("torn", range(1, 60, 7))
def test_a_torn_last_line_is_dropped_and_the_next_one_is_whole(output: Path, torn: int) -> None:
    """A crash in the middle of a line costs that line alone, wherever it is cut."""
    _fill(output, "胸痛1", "胸痛2")
    path = journal_path(output)
    path.write_bytes(path.read_bytes()[:-torn])
    _fill(output, "胸痛3")
    with open_journal(output, IDENTITY) as journal:
        assert [journal.known(Sentence("x", f"胸痛{number}")) is not None for number in (1, 2, 3)] == [
            True,
            False,
            True,
        ]


def test_a_header_torn_by_a_crash_begins_anew(output: Path) -> None:
    """A journal of half a header holds nothing and is no error."""
    journal_path(output).write_bytes(b'{"medner_jour')
    with open_journal(output, IDENTITY) as journal:
        assert journal.resumed == 0


def test_another_configuration_is_refused_and_restart_drops_it(output: Path) -> None:
    """Sentences of other taggers are never mixed in; the message names --restart."""
    _fill(output, "胸痛")
    other = RunIdentity("f2", IDENTITY.inputs)
    with pytest.raises(UserError, match="--restart"), open_journal(output, other):
        pass
    assert journal_path(output).exists()
    with open_journal(output, other, restart=True) as journal:
        assert len(journal) == 0
    assert not journal_path(output).exists(), "a journal without a sentence does not stay"


def test_other_inputs_are_noticed(output: Path) -> None:
    """Under the same configuration other inputs are allowed, and remembered the next time."""
    _fill(output, "胸痛")
    other = RunIdentity("f1", {"b.txt": "2"})
    for changed in (True, False):
        with open_journal(output, other) as journal:
            assert (journal.inputs_changed, journal.resumed) == (changed, 1)


def test_a_file_that_is_no_journal_is_left_alone(output: Path) -> None:
    """Somebody's file of that name is neither read nor written over, not even with --restart."""
    journal_path(output).write_text("我的笔记\n", encoding="utf-8")
    for restart in (False, True):
        with pytest.raises(UserError, match="not a journal"), open_journal(output, IDENTITY, restart=restart):
            pass
    assert journal_path(output).read_text(encoding="utf-8") == "我的笔记\n"


def test_two_runs_cannot_write_the_same_output(output: Path) -> None:
    """The second one ends with a clear error, and the first one goes on."""
    with open_journal(output, IDENTITY) as journal:
        with pytest.raises(UserError, match="another medner annotate"), open_journal(output, IDENTITY):
            pass
        asyncio.run(journal.add(_annotation("胸痛")))
        assert len(journal) == 1


def test_a_full_disk_leaves_the_journal_valid(output: Path) -> None:
    """Half a line that still fitted is taken back; what was finished before is there when the disk has room."""
    room = 900

    def write(descriptor: int, data: bytes) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(descriptor, data[: min(room, 100)])
        room -= written
        return written

    finished = 0
    with open_journal(output, IDENTITY, write=write) as journal:

        async def add() -> None:
            nonlocal finished
            for number in range(100):
                await journal.add(_annotation(f"胸痛{number}"))
                finished += 1

        with pytest.raises(ExternalError, match=r"No space left on device; its \d finished sentences are kept"):
            asyncio.run(add())
    assert journal_path(output).read_bytes().endswith(b"}\n")
    with open_journal(output, IDENTITY) as journal:
        assert journal.resumed == finished > 0
