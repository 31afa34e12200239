"""The routes of traces."""

from __future__ import annotations

from medner.service.http.messages import comparison_answers as comparisons
from medner.service.http.messages import trace_answers as answers
from medner.service.http.messages import trace_requests as requests
from medner.service.http.messages.annotated import FullConflictAnswer
from medner.service.http.operation import JSON, LINES, Operation
from medner.service.http.scopes import Scope
from medner.service.http.traces import decisions, runs

_RUN = "/v1/traces/{run}"
# An id holds its document's, in which there may be slashes.
_SENTENCE = _RUN + "/sentences/{sentence:path}"
_OVERRULE = _SENTENCE + "/conflicts/{conflict}/overrule"

TRACE_ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/traces",
        runs.runs,
        "Runs with traces, the newest first",
        answers.RunsAnswer,
        query=requests.RunsQuery,
    ),
    Operation("GET", _RUN, runs.show, "A run and its counts", answers.RunDetailAnswer, problems=(404,)),
    Operation(
        "DELETE",
        _RUN,
        runs.remove,
        "Remove a run and its traces for good",
        answers.RemovedAnswer,
        problems=(404,),
        scope=Scope.ADMIN,
        audit="remove-traces",
    ),
    Operation(
        "GET",
        _RUN + "/sentences",
        runs.sentences,
        "The sentences of a run",
        answers.SentencesAnswer,
        query=requests.SentencesQuery,
        problems=(404,),
    ),
    Operation(
        "POST",
        _OVERRULE,
        decisions.overrule_conflict,
        "Decide a conflict in the judge's place",
        FullConflictAnswer,
        body={JSON: requests.OverruleBody},
        problems=(404,),
        scope=Scope.REVIEW,
        audit="overrule",
    ),
    Operation(
        "DELETE",
        _OVERRULE,
        decisions.restore_conflict,
        "Take a decision back: the judge's verdict holds again",
        FullConflictAnswer,
        problems=(404, 409),
        scope=Scope.REVIEW,
        audit="take-back",
    ),
    Operation(
        "GET", _SENTENCE, runs.path, "A sentence's whole path through the graph", answers.PathAnswer, problems=(404,)
    ),
    Operation(
        "POST",
        _RUN + "/fork",
        decisions.fork,
        "Decide conflicts of a run again with another judge, as a run of its own",
        answers.ForkAnswer,
        status=201,
        body={JSON: requests.ForkBody},
        problems=(404,),
        scope=Scope.SUBMIT,
        audit="fork",
    ),
    Operation(
        "GET",
        _RUN + "/diff/{other}",
        runs.diff,
        "What differs between two runs over the same sentences",
        comparisons.DiffAnswer,
        query=requests.DiffQuery,
        problems=(404,),
    ),
    Operation(
        "POST",
        _RUN + "/diff/{other}",
        runs.diff_with_gold,
        "The same, and both runs scored by gold entities",
        comparisons.DiffAnswer,
        query=requests.DiffQuery,
        body={JSON: requests.GoldBody},
        problems=(404,),
    ),
    Operation(
        "GET",
        _RUN + "/agreement",
        runs.agreement,
        "Who disagrees with whom, and whose word the judge takes",
        comparisons.AgreementAnswer,
        query=requests.AgreementQuery,
        problems=(404,),
    ),
    Operation(
        "GET",
        _RUN + "/export",
        runs.export,
        "The sentences of a run with people's decisions in them, or the decisions as training data",
        answers.DecisionLine,
        media=LINES,
        query=requests.ExportQuery,
        problems=(404,),
    ),
)
