"""What `import medner` gives, how fast, and that nothing else is promised."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

import medner
import medner.testing
from medner._client.jobs import AsyncServerJobs, ServerJobs
from medner._client.judges import AsyncServerJudges, ServerJudges
from medner._client.review import AsyncServerReview, ServerReview
from medner._client.traces import AsyncServerTraces, ServerTraces

PUBLIC = {
    "Annotator",
    "AsyncAnnotator",
    "AsyncJobs",
    "AsyncJudges",
    "AsyncServer",
    "AsyncTraces",
    "BadInputError",
    "Candidate",
    "Comparison",
    "Conflict",
    "Document",
    "Entity",
    "Evaluation",
    "ExternalError",
    "FailedSentence",
    "Job",
    "Jobs",
    "Judge",
    "JudgeInUse",
    "JudgeTest",
    "Judges",
    "LabelSet",
    "LabelType",
    "MednerError",
    "ModelOutputError",
    "ReadSettings",
    "RefusedError",
    "ReviewItem",
    "ReviewProgress",
    "Score",
    "SentenceTrace",
    "Server",
    "ServerSettings",
    "Settings",
    "SourcePlace",
    "TraceDifference",
    "TraceRun",
    "Traces",
    "UserError",
    "Written",
    "annotate",
    "compare",
    "connect",
    "connect_async",
    "evaluate",
    "load",
    "load_async",
    "read",
    "stream",
    "write",
}
TWINS = [
    (medner.Annotator, medner.AsyncAnnotator, {"open"}),
    (medner.Jobs, medner.AsyncJobs, set()),
    (medner.Judges, medner.AsyncJudges, set()),
    (medner.Traces, medner.AsyncTraces, set()),
    (medner.Server, medner.AsyncServer, set()),
    (ServerJobs, AsyncServerJobs, set()),
    (ServerTraces, AsyncServerTraces, set()),
    (ServerJudges, AsyncServerJudges, set()),
    (ServerReview, AsyncServerReview, set()),
]
#: Each class of a server beside the local one; what only one of them has: another machine has no results folder, writes
#: the key's name, and has verbs of its own.
SAME_VERBS = [
    (medner.Jobs, ServerJobs, {"export", "agreement"}, {"results", "settings"}),
    (medner.Traces, ServerTraces, {"take_back"}, {"by"}),
    (medner.Judges, ServerJudges, {"workers"}, {"by"}),
]


def test_the_exported_names() -> None:
    """Exactly these; a name is added or taken away here too, and in CHANGELOG.md."""
    assert sorted(medner.__all__) == sorted(PUBLIC)
    assert set(dir(medner)) >= PUBLIC
    for name in medner.__all__:
        assert inspect.getdoc(getattr(medner, name)), name


def test_another_name_is_none() -> None:
    """A misspelt name is an AttributeError, as of any module; the version is at hand."""
    with pytest.raises(AttributeError, match="no attribute 'anotate'"):
        getattr(medner, "anotate")  # noqa: B009  the name is wrong on purpose
    assert medner.__version__


@pytest.mark.parametrize("name", ["medner.testing", "medner.plugins", "medner.testing.contracts"])
def test_the_other_public_modules(name: str) -> None:
    """Each says what it exports, and has it."""
    module = import_module(name)
    assert module.__all__
    for each in module.__all__:
        assert getattr(module, each) is not None


def test_importing_is_quick_and_light() -> None:
    """`import medner` takes less than 0.2 s and brings nothing heavy."""
    program = (
        "import sys, time; began = time.perf_counter(); import medner; took = time.perf_counter() - began; "
        "heavy = {'torch', 'langgraph', 'langsmith', 'pydantic', 'numpy'}; print(took, sorted(heavy & {*sys.modules}))"
    )
    best = 1.0
    for _ in range(3):  # another process may have the machine
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
        seconds, _, heavy = done.stdout.strip().partition(" ")
        assert heavy == "[]"
        best = min(best, float(seconds))
    assert best < 0.2


@pytest.mark.parametrize(("sync", "twin", "more"), TWINS, ids=lambda one: getattr(one, "__name__", ""))
def test_twins_have_the_same_verbs(sync: type, twin: type, more: set[str]) -> None:
    """A synchronous class and its asynchronous twin have the same methods with the same parameters."""

    asynchronous = {name: parameters for name, parameters in _verbs(twin).items() if name not in more}
    assert _verbs(sync) == asynchronous


@pytest.mark.parametrize(("local", "server", "more", "other"), SAME_VERBS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_server_has_the_verbs_of_the_local_class(local: type, server: type, more: set[str], other: set[str]) -> None:
    """The same methods with the same parameters in the same order, but for the few that are named above."""
    here, there = _verbs(local), _verbs(server)
    assert there.keys() - more == here.keys() - {"close"}
    for name in here.keys() & there.keys():
        assert [one for one in there[name] if one not in other] == [one for one in here[name] if one not in other], name


def _verbs(kind: type) -> dict[str, list[str]]:
    methods = inspect.getmembers(kind, inspect.isfunction)
    return {name: list(inspect.signature(one).parameters) for name, one in methods if not name.startswith("_")}
