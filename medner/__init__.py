"""Medical named entities in Chinese clinical text, found by several LLMs that check one another.

::

    import medner

    document = medner.annotate("患者咳嗽三天，右下肺可闻及湿性啰音。")
    for entity in document.entities:
        print(entity.text, entity.label_name, entity.start, entity.end)

What ``__all__`` names here, in ``medner.testing`` and in ``medner.plugins`` is public: it changes only with a note in
CHANGELOG.md, and not within a minor version. All other modules (``medner.agents``, ``medner.service`` ...) are
internal. Nothing heavy is imported before it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medner._annotator import Annotator, AsyncAnnotator
    from medner._client.review import ReviewItem, ReviewProgress
    from medner._client.server import AsyncServer, Server, connect, connect_async
    from medner._client.settings import ServerSettings
    from medner._corpora import Written, read, stream, write
    from medner._documents import Candidate, Conflict, Document, Entity
    from medner._jobs import AsyncJobs, FailedSentence, Job, Jobs
    from medner._judges import AsyncJudges, Judge, JudgeInUse, Judges, JudgeTest
    from medner._load import annotate, load, load_async
    from medner._read_settings import ReadSettings
    from medner._scores import Comparison, Evaluation, Score, compare, evaluate
    from medner._settings import Settings
    from medner._traces import AsyncTraces, SentenceTrace, TraceDifference, TraceRun, Traces
    from medner.core.errors import (
        BadInputError,
        ExternalError,
        MednerError,
        ModelOutputError,
        RefusedError,
        UserError,
    )
    from medner.core.labels import LabelSet, LabelType
    from medner.core.records.places import SourcePlace

    __version__: str

#: The module that each public name is in.
_HOMES = {
    "medner._annotator": ("Annotator", "AsyncAnnotator"),
    "medner._client.review": ("ReviewItem", "ReviewProgress"),
    "medner._client.server": ("AsyncServer", "Server", "connect", "connect_async"),
    "medner._client.settings": ("ServerSettings",),
    "medner._load": ("annotate", "load", "load_async"),
    "medner._corpora": ("Written", "read", "stream", "write"),
    "medner._documents": ("Candidate", "Conflict", "Document", "Entity"),
    "medner._jobs": ("AsyncJobs", "FailedSentence", "Job", "Jobs"),
    "medner._judges": ("AsyncJudges", "Judge", "JudgeInUse", "Judges", "JudgeTest"),
    "medner._read_settings": ("ReadSettings",),
    "medner._scores": ("Comparison", "Evaluation", "Score", "compare", "evaluate"),
    "medner._traces": ("AsyncTraces", "SentenceTrace", "TraceDifference", "TraceRun", "Traces"),
    "medner._settings": ("Settings",),
    "medner.core.errors": (
        "BadInputError",
        "ExternalError",
        "MednerError",
        "ModelOutputError",
        "RefusedError",
        "UserError",
    ),
    "medner.core.labels": ("LabelSet", "LabelType"),
    "medner.core.records.places": ("SourcePlace",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
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
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


if not TYPE_CHECKING:  # a type checker would take every name for a known one

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("medner")
        home = _HOME_OF.get(name)
        if home is None:
            raise AttributeError(f"module 'medner' has no attribute {name!r}")
        value = getattr(import_module(home), name)
        globals()[name] = value
        return value
