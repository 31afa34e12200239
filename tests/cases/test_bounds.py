"""Whatever an inner model refuses, the option refuses: exit code 2, and a line that names the option."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from medner.core.errors import BadInputError
from medner.core.labels import load_label_set
from medner.service.cli.app import build
from medner.service.config.configuration import validated
from medner.store.jobs import JobSpec
from medner.store.traces.records import LabelSetRecord, RunRecord
from tests.line_kit import Line, line

__all__ = ["line"]


def _numbers(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, type]]:
    """Every option that takes a number: its command, itself, and int or float."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _numbers(inner, (*path, name))
        return
    hints = typing.get_type_hints(command.callback.__wrapped__)
    for option in command.params:
        kinds = {one for one in (hints.get(option.name), *typing.get_args(hints.get(option.name))) if one}
        for kind in (int, float):
            if kind in kinds:
                yield path, option, kind


NUMBERS = list(_numbers(typer.main.get_command(build())))


def test_the_options_with_numbers_are_found() -> None:
    """The walk below sees what there is."""
    assert len(NUMBERS) > 50


@pytest.mark.parametrize(("path", "option", "kind"), NUMBERS, ids=lambda one: getattr(one, "name", None))
def test_every_number_has_bounds(line: Line, path: tuple[str, ...], option: Any, kind: type) -> None:
    """Numbers of twenty digits, negative ones, and those that are none are refused at the option."""
    name = option.opts[-1]
    wrong = ["99999999999999999999", "-99999999999999999999", "x", "9" * 5_000]
    for value in [*wrong, *(("inf", "nan", "-inf", "1e999") if kind is float else ())]:
        ended = line(*path, f"{name}={value}")
        assert ended.code == 2
        assert "Invalid value for " in ended.err, (path, name, value, ended.err)
        assert name in ended.err


@pytest.mark.parametrize(
    "words",
    [
        "submit n --time-limit 0",
        "submit n --time-limit inf",
        "submit n --time-limit nan",
        "submit n --time-limit -5",
        "submit n --chunk 5000",
        "submit n --chunk 0",
        "submit n --attempts 101",
        "submit n --keep inf",
        "submit n --keep 9999999",
        "submit n --keep 0",
        "submit n --max-chars 7",
        "submit n --max-chars 8193",
        "annotate n --limit 99999999999999999999",
        "annotate n --keep-days 4000000",
        "annotate n --server ftp://here",
        "traces fork last --judge hard-vote --keep-days 4000000",
        "traces remove --older-than 4000000",
        "worker --lease inf",
        "worker --lease 0",
        "worker --metrics-port 70000",
        "serve --port 70000",
        "serve --max-body nan",
        "serve-models --port 0",
        "judges use --back-to 0",
        "train span x -o y --hours inf",
        "train span x -o y --learning-rate 0",
        "train tagger x -o y --epochs nan",
    ],
)
def test_numbers_out_of_bounds(line: Line, words: str) -> None:
    """Each of them once ended as a defect, or in a job that could never run."""
    ended = line(*words.split())
    assert ended.code == 2
    assert ended.err.startswith("medner: Invalid value for '-")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["judges", "add", "a b", "--judge", "hard-vote"], "NAME"),
        (["judges", "add", "", "--judge", "hard-vote"], "NAME"),
        (["judges", "add", "严格/1", "--judge", "hard-vote"], "NAME"),
        (["judges", "add", "x" * 81, "--judge", "hard-vote"], "NAME"),
        (["judges", "use", "a b"], "[NAME]"),
        (["judges", "show", "a\nb"], "NAME"),
        (["judges", "add", "a", "--judge", "select:openai:m", "--url", "here"], "--url"),
        (["judges", "add", "a", "--judge", "select:openai:m", "--url", "http://x", "--key-env", "1 2"], "--key-env"),
        (["judges", "add", "a", "--judge", "hard-vote", "--fallback", "nobody"], "--fallback"),
        (["submit", "n", "--name", "长" * 101], "--name"),
        (["submit", "n", "--name", "a\x1b[2J"], "--name"),
        (["submit", "n", "--name", "\udcb2\udca1"], "--name"),
        (["submit", "n", "--key", ""], "--key"),
        (["submit", "n", "--key", "k" * 201], "--key"),
        (["submit", "n", "--results", ""], "--results"),
        (["annotate", "n", "--traces", ""], "--traces"),
        (["annotate", "n", "--labels", ""], "--labels"),
        (["annotate", "n", "--model", " "], "--model"),
        (["annotate", "n", "--server", ""], "--server"),
    ],
)
def test_names_that_are_none(line: Line, words: list[str], option: str) -> None:
    """Empty names, names with control characters, names too long."""
    ended = line(*words)
    assert (ended.code, f"Invalid value for '{option}'" in ended.err) == (2, True), ended.err


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_chars", 7),
        ("concurrency", 10**20),
        ("max_rows", 0),
        ("engine", {"timeout_s": float("inf")}),
        ("engine", {"timeout_s": float("nan")}),
        ("engine", {"attempts": 21}),
        ("judge", {"kind": "select", "timeout_s": float("inf")}),
        ("judge", {"kind": "select", "max_tokens": 10**20}),
        ("judge", {"kind": "filter-score", "least": float("nan")}),
        ("exemplars", {"folder": "x", "each": 10**20}),
        ("filter", {"kind": "llm-causal", "threshold": float("nan")}),
    ],
)
def test_a_configuration_has_the_same_bounds(key: str, value: object) -> None:
    """Numbers out of bounds in a file name their key."""
    tagger = {"name": "html-full", "strategy": "html"}
    with pytest.raises(BadInputError) as caught:
        validated({"taggers": [tagger], key: value}, where=Path("mine.toml"))
    assert str(caught.value.key).startswith(key)


def test_a_job_cannot_be_what_no_worker_can_do() -> None:
    """Its record has the bounds of the options."""
    usual = {"configuration": {}, "fingerprint": "x", "medner": "x"}
    JobSpec.model_validate(usual)
    for key, value in (("sentence_timeout_s", float("inf")), ("keep_s", 10**15), ("chunk_sentences", 5_000)):
        with pytest.raises(ValueError, match=key):
            JobSpec.model_validate({**usual, key: value})


def test_traces_kept_for_longer_than_a_calendar_has_days_are_not_over() -> None:
    """A record that holds such a number does not keep others from being traced."""
    labels = LabelSetRecord.of(load_label_set("cmeee-v2"))
    run = RunRecord(run="annotate-1", labels=labels, keep_days=4_000_000)
    assert not run.is_over(datetime.now(UTC))
    assert not run.model_copy(update={"keep_days": 10**20}).is_over(datetime.now(UTC))
