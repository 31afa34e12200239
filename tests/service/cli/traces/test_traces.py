"""`medner traces`: record, list, show, fork, diff, overrule, export, remove."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medner.core.errors import UserError
from medner.core.records import Decision
from medner.service.build.trace_recording import remove_outdated
from medner.store.corpora.json_formats.jsonl import line_to_annotated
from medner.store.traces import open_traces
from medner.store.traces.records import now
from tests.service.cli.traces.conftest import Traced

Make = Callable[..., Traced]


def test_nothing_is_recorded_unasked(traced: Traced) -> None:
    """Patients' text goes nowhere but into the result until somebody says so."""
    traced.annotate()
    assert not traced.place.exists()


def test_conflicts_are_recorded_and_listed(make_traced: Make) -> None:
    """One run; the two sentences with a conflict; the command that shows them is told on stderr."""
    traced = make_traced()
    runs = traced.json("list")
    assert [(run["kind"], run["policy"], run["traces"]) for run in runs] == [("annotate", "conflicts", 2)]
    rows = traced.json("list", "last")
    assert [(row["sentence_id"], row["conflicts"], row["judges"][0].partition("@")[0]) for row in rows] == [
        ("a#0", 1, "qwen2.5-coder-0.5b-instruct"),
        ("b#0", 1, "qwen2.5-coder-0.5b-instruct"),
    ]
    assert runs[0]["run"] in traced.run("list").stdout


def test_all_records_every_sentence(traced: Traced) -> None:
    """Also those without a conflict."""
    traced.annotate("--trace", "all")
    assert [row["conflicts"] for row in traced.json("list", "last")] == [1, 1, 0]


def test_show_tells_the_whole_path(make_traced: Make) -> None:
    """Taggers, kind, candidates with who said them, exemplars, prompt, raw answer, verdict and version."""
    traced = make_traced()
    shown = traced.run("show", "last/1", "--full").stdout
    for word in ("tag:html-full", "tag:json-plain", "filter", "detect_conflicts", "no_overlap", "merge", "END"):
        assert word in shown
    for word in (
        "医疗程序:心电图[6,9)",
        "(json-plain)",
        "version ",
        "exemplars:",
        "prompt",
        "正确的编号",
        "raw answer",
    ):
        assert word in shown
    data = traced.json("show", "last/a#0")
    verdict = data["annotation"]["verdicts"][0]
    assert verdict["answer"] == "1"
    assert "候选实体" in verdict["prompt"]
    assert [one["next"] for one in data["checkpoints"]] == ["detect_conflicts", None]
    assert set(data["annotation"]["timings"]) >= {"filter", "detect_conflicts", "judge", "merge"}


def test_a_fork_settles_again_and_diff_counts(make_traced: Make) -> None:
    """Another judge on all conflicts of the run, or a sample; nothing but the judge changes."""
    traced = make_traced()
    asked = len(traced.kit.asked)
    fork = traced.run("fork", "last", "--judge", "hard-vote").stdout.strip()
    assert len(traced.kit.asked) == asked
    assert len(traced.kit.orders) == 1  # no model was loaded for a judge that asks none
    run = traced.json("list")[0]["run"]
    diff = traced.json("diff", run, fork)
    assert (diff["sentences"], diff["conflicts"], diff["changed_conflicts"]) == (2, 2, 2)
    assert diff["lost"] == {"pro": 2}
    assert diff["gained"] == {}
    text = traced.run("diff", run, fork).stdout
    assert "- 医疗程序: 心电图 [6,9)" in text
    same = traced.run("fork", run, "--judge", "select", "--sample", 1).stdout.strip()
    found = traced.json("diff", run, same)
    assert (found["sentences"], found["only_in_a"], found["changed_conflicts"]) == (1, 1, 0)


def test_diff_with_gold_gives_the_f1_difference(make_traced: Make, tmp_path: Path) -> None:
    """Gold by document; the difference stands with its interval, over sentences."""
    traced = make_traced()
    fork = traced.run("fork", "last", "--judge", "hard-vote").stdout.strip()
    run = traced.json("list")[0]["run"]
    gold = tmp_path / "gold.jsonl"
    lines = traced.results.read_text(encoding="utf-8").splitlines()
    gold.write_text(
        "".join(
            json.dumps({key: one for key, one in json.loads(line).items() if key != "sentences"}, ensure_ascii=False)
            + "\n"
            for line in lines
        ),
        encoding="utf-8",
    )
    score = traced.json("diff", run, fork, "--gold", gold)["score"]
    assert score["a"]["f1"] == 1.0
    assert score["b"]["f1"] == pytest.approx(2 / 3)
    assert score["f1_difference"] == pytest.approx(-1 / 3)
    assert score["interval"][1] < 0
    assert "paired bootstrap over 2 sentences" in traced.run("diff", run, fork, "--gold", gold).stdout


def test_a_person_overrules_a_judge(make_traced: Make, tmp_path: Path) -> None:
    """The decision wins in the result, names who, when and why, and the judge's own stays on record."""
    traced = make_traced()
    traced.run("overrule", "last/1", "--conflict", "c0", "--keep", "none", "--by", "李医生", "--why", "不是本次检查")
    verdict = traced.json("show", "last/1")["annotation"]["verdicts"][0]
    assert verdict["kept"] == []
    assert verdict["judge"] == "qwen2.5-coder-0.5b-instruct"
    said = verdict["overruled"]
    assert (said["by"], said["why"], len(said["kept"])) == ("李医生", "不是本次检查", 1)
    assert "overruled by 李医生" in traced.run("show", "last/1").stdout
    out = tmp_path / "decided.jsonl"
    traced.run("export", "last", "--results", traced.results, "-o", out)
    first, second, third = map(line_to_annotated, out.read_text(encoding="utf-8").splitlines())
    assert [len(one.entities) for one in (first, second, third)] == [1, 2, 1]
    assert second.annotations[0].entities[1].decision is Decision.JUDGED
    traced.run("overrule", "last/1", "--conflict", "c0", "--keep", "1", "--by", "王医生", "--why", "会诊后改")
    traced.run("export", "last", "--results", traced.results, "-o", out)
    again = line_to_annotated(out.read_text(encoding="utf-8").splitlines()[0])
    assert again.annotations[0].entities[1].decision is Decision.HUMAN
    verdict = traced.json("show", "last/1")["annotation"]["verdicts"][0]
    assert len(verdict["overruled"]["kept"]) == 1  # still the judge's decision, not the first person's
    assert [row["overruled"] for row in traced.json("list", "last")] == [1, 0]


def test_decisions_are_training_data(make_traced: Make) -> None:
    """Each decided conflict as one line with its candidates, who said them, and which are right."""
    traced = make_traced()
    assert traced.run("export", "last", "--what", "decisions").stdout == ""
    traced.run("overrule", "last/2", "--conflict", "c0", "--keep", "1", "--by", "a", "--why", "b")
    (line,) = traced.run("export", "last", "--what", "decisions").stdout.splitlines()
    found = json.loads(line)
    assert found["text"] == "咳嗽，复查心电图。"
    assert [(one["taggers"], one["right"]) for one in found["candidates"]] == [(["json-plain"], True)]
    assert found["voters"] == ["html-full", "json-plain"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "last"), "a trace is named RUN/SENTENCE"),
        (("show", "last/9"), "has no trace of sentence '9'"),
        (("list", "nonsense"), "there is no run 'nonsense'"),
        (("overrule", "last/1", "--conflict", "c7", "--keep", "1", "--by", "a", "--why", "b"), "no conflict 'c7'"),
        (("overrule", "last/1", "--conflict", "c0", "--keep", "3", "--by", "a", "--why", "b"), "there is no 3"),
        (("overrule", "last/1", "--conflict", "c0", "--keep", "x", "--by", "a", "--why", "b"), "no list of candidate"),
        (("overrule", "last/1", "--conflict", "c0", "--keep", "1", "--by", " ", "--why", "b"), "needs who decides"),
        (("fork", "last", "--judge", "oracle"), "'oracle' is none"),
    ],
)
def test_mistakes_are_told(make_traced: Make, arguments: tuple[str, ...], message: str) -> None:
    """Each in one line that names the way out."""
    with pytest.raises(UserError, match=message):
        make_traced().run(*arguments, code=2)


def test_runs_are_removed(make_traced: Make) -> None:
    """A run with its traces; forks of it are named, for they hold the same sentences."""
    traced = make_traced()
    run = traced.json("list")[0]["run"]
    fork = traced.run("fork", run, "--judge", "hard-vote").stdout.strip()
    told = traced.run("remove", run).stderr
    assert f"{run}: 2 traces removed" in told
    assert fork in told
    assert [one["run"] for one in traced.json("list")] == [fork]
    traced.run("remove", "--older-than", 0)
    assert traced.json("list") == []


def test_a_run_whose_time_is_over_goes_with_the_next(make_traced: Make) -> None:
    """--keep-days 0 is over at once; the next recording removes it."""
    traced = make_traced("--keep-days", "0")
    backend = open_traces(traced.place)
    (run,) = backend.runs()
    assert run.keep_days == 0
    assert remove_outdated(backend, now()) == [run.run]
    backend.close()


def test_a_label_set_of_ones_own_travels_with_its_run(traced: Traced, tmp_path: Path) -> None:
    """A fork works when the file that a run's labels came from has changed since: the run keeps its own copy."""
    traced.annotate("--trace", "conflicts")
    backend = open_traces(traced.place)
    (run,) = backend.runs()
    backend.close()
    assert [one.code for one in run.labels.types][:2] == ["dis", "sym"]
    assert run.configuration["labels"] == "cmeee-v2"


def test_the_agreement_view(make_traced: Make, tmp_path: Path) -> None:
    """Over traces or over results: numbers on stdout, a drawing where one is asked for."""
    traced = make_traced()
    traces = traced.json("agreement", "last")
    results = traced.json("agreement", "--results", traced.results)
    assert (traces["sentences"], results["sentences"]) == (2, 3)
    assert traces["wins"] == results["wins"] == {"json-plain": {"kept": 2, "disputed": 2}}
    shown = traced.run("agreement", "last", "--plot", tmp_path / "a.svg").stdout
    assert "医疗程序 心电图" in shown
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<svg")
    with pytest.raises(UserError, match="name a traced run"):
        traced.run("agreement", code=2)
