"""A run that is stopped, killed or changed goes on without doing a sentence twice."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from medner.core.errors import ExternalError, UserError
from medner.service.annotate.journal import journal_path

SENTENCES = [f"第{number}天胸痛。" for number in range(12)]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Three notes of four sentences."""
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(3):
        text = "\r\n".join(SENTENCES[4 * number : 4 * number + 4])
        (folder / f"{number}.txt").write_text(text, encoding="utf-8", newline="")
    return folder


@pytest.fixture
def narrow(tmp_path: Path) -> Path:
    """A configuration in which sentences are done one after the other."""
    path = tmp_path / "narrow.toml"
    taggers = "".join(
        f'[[taggers]]\nname = "{strategy}-{style}"\nstrategy = "{strategy}"\nstyle = "{style}"\nshots = 3\n'
        for strategy, style in (("html", "full"), ("json", "plain"))
    )
    path.write_text(f'concurrency = 1\n{taggers}[judge]\nkind = "select"\n', encoding="utf-8")
    return path


def _failing(kit: Any, at: str) -> Any:
    """An engine that dies when it comes to a sentence, after that of the run's other sentences."""
    return lambda strategy, sentence: UserError("the power is gone") if sentence == at else None


def test_no_sentence_is_done_twice(kit: Any, notes: Path, narrow: Path, tmp_path: Path) -> None:
    """After a crash the second run asks only for what is not in the journal, and the result is that of one run."""
    arguments = (notes, "--config", narrow, "-o")
    out, whole = tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    kit.before = _failing(kit, SENTENCES[6])
    assert isinstance(kit.run(*arguments, out).exception, UserError)
    assert not out.exists()
    finished = {sentence for sentence, count in Counter(text for _, text in kit.asked).items() if count == 2}
    finished.discard(SENTENCES[6])
    assert finished >= set(SENTENCES[:6])
    kit.asked.clear()
    kit.before = lambda strategy, sentence: None
    result = kit.run(*arguments, out)
    assert result.exit_code == 0
    assert f"going on after {len(finished)} finished sentences" in result.stderr
    assert set(kit.asked) == {(one, text) for one in ("html", "json") for text in set(SENTENCES) - finished}
    assert len(kit.asked) == 2 * (12 - len(finished))
    assert not journal_path(out).exists()
    assert kit.run(*arguments, whole).exit_code == 0
    assert _without_times(kit.records(out)) == _without_times(kit.records(whole))


def _without_times(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for record in records:
        for sentence in record["sentences"]:
            sentence.pop("timings")
            for verdict in sentence["verdicts"]:
                verdict.pop("seconds")
    return records


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(kit: Any, notes: Path, narrow: Path, tmp_path: Path) -> None:
    """The exit code is 130, the message names the journal, the output is not there."""
    out = tmp_path / "out.jsonl"

    def interrupt(strategy: str, sentence: str) -> None:
        if (strategy, sentence) == ("html", SENTENCES[5]):
            os.kill(os.getpid(), signal.SIGINT)

    kit.before = interrupt
    result = kit.run(notes, "--config", narrow, "-o", out)
    assert result.exit_code == 130
    assert f"are kept in {journal_path(out)}: the same command goes on from there" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["narrow.toml", "notes", "out.jsonl.journal"]
    kit.asked.clear()
    kit.before = lambda strategy, sentence: None
    assert kit.run(notes, "--config", narrow, "-o", out).exit_code == 0
    assert not {text for _, text in kit.asked} & set(SENTENCES[:4])


def test_another_configuration_needs_restart(kit: Any, notes: Path, narrow: Path, tmp_path: Path) -> None:
    """Answers of other taggers are not mixed; with --restart the run starts over."""
    out = tmp_path / "out.jsonl"
    kit.before = _failing(kit, SENTENCES[6])
    kit.run(notes, "--config", narrow, "-o", out)
    kit.before = lambda strategy, sentence: None
    error = kit.run(notes, "--config", narrow, "-o", out, "--judge", "hard-vote").exception
    assert isinstance(error, UserError)
    assert "--restart" in str(error)
    kit.asked.clear()
    assert kit.run(notes, "--config", narrow, "-o", out, "--judge", "hard-vote", "--restart").exit_code == 0
    assert len(kit.asked) == 24


def test_how_fast_may_change_between_runs(kit: Any, notes: Path, narrow: Path, tmp_path: Path) -> None:
    """concurrency and max_rows change no answer, so a run goes on under others."""
    out = tmp_path / "out.jsonl"
    kit.before = _failing(kit, SENTENCES[6])
    kit.run(notes, "--config", narrow, "-o", out)
    kit.asked.clear()
    kit.before = lambda strategy, sentence: None
    assert kit.run(notes, "-o", out).exit_code == 0
    assert len(kit.asked) < 24


def test_changed_inputs_keep_what_is_the_same(kit: Any, notes: Path, narrow: Path, tmp_path: Path) -> None:
    """Unchanged sentences are taken over with their new offsets."""
    out = tmp_path / "out.jsonl"
    kit.before = _failing(kit, SENTENCES[6])
    kit.run(notes, "--config", narrow, "-o", out)
    first = notes / "0.txt"
    first.write_text("新写的一句，咳嗽。" + first.read_text(encoding="utf-8"), encoding="utf-8")
    kit.asked.clear()
    kit.before = lambda strategy, sentence: None
    result = kit.run(notes, "--config", narrow, "-o", out)
    assert "only equal sentences are taken over" in result.stderr
    asked = {text for _, text in kit.asked}
    assert "新写的一句，咳嗽。" in asked
    assert not asked & set(SENTENCES[:4])
    for record in kit.records(out):
        for entity in record["entities"]:
            assert record["text"][entity["start"] : entity["end"]] == entity["text"]


def test_failed_sentences_are_tried_again(kit: Any, notes: Path, tmp_path: Path) -> None:
    """A sentence without an answer is written as such and kept out of the journal, so the same command repairs it."""
    out = tmp_path / "out.jsonl"
    kit.before = lambda strategy, sentence: ExternalError("busy") if sentence == SENTENCES[3] else None
    result = kit.run(notes, "-o", out)
    assert result.exit_code == 1
    assert "The same command tries those again" in result.stderr
    assert [len(record["entities"]) for record in kit.records(out)] == [3, 4, 4]
    kit.asked.clear()
    kit.before = lambda strategy, sentence: None
    assert kit.run(notes, "-o", out).exit_code == 0
    assert kit.asked == [("html", SENTENCES[3]), ("json", SENTENCES[3])]
    assert [len(record["entities"]) for record in kit.records(out)] == [4, 4, 4]
    assert not journal_path(out).exists()


def test_what_a_killed_run_left_half_written_is_removed(kit: Any, tmp_path: Path) -> None:
    """Parts of processes that are no more go; those of living ones stay."""
    out = tmp_path / "结果[1].jsonl"
    dead, alive = (tmp_path / f".{out.name}.{number}.part" for number in (2**22 + 1, os.getppid()))
    dead.touch()
    alive.touch()
    assert kit.run("--text", "胸痛。", "-o", out).exit_code == 0
    assert (dead.exists(), alive.exists()) == (False, True)
