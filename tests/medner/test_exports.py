"""What `import medner` gives, how fast, and that nothing else is promised."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

import medner
import medner.testing

PUBLIC = {
    "Annotator",
    "AsyncAnnotator",
    "AsyncJobs",
    "AsyncJudges",
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
    "Score",
    "SentenceTrace",
    "Settings",
    "TraceDifference",
    "TraceRun",
    "Traces",
    "UserError",
    "Written",
    "annotate",
    "compare",
    "evaluate",
    "load",
    "load_async",
    "read",
    "write",
}
TWINS = [
    (medner.Annotator, medner.AsyncAnnotator, {"open"}),
    (medner.Jobs, medner.AsyncJobs, set()),
    (medner.Judges, medner.AsyncJudges, set()),
    (medner.Traces, medner.AsyncTraces, set()),
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

    def verbs(kind: type) -> dict[str, list[str]]:
        methods = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(one).parameters) for name, one in methods if not name.startswith("_")}

    asynchronous = {name: parameters for name, parameters in verbs(twin).items() if name not in more}
    assert verbs(sync) == asynchronous
