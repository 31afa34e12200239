"""The routes of judges and models."""

from __future__ import annotations

from medner.service.http.judges import handlers, models
from medner.service.http.messages import judge_answers as messages
from medner.service.http.messages.trace_requests import PageOf
from medner.service.http.operation import JSON, Operation
from medner.service.http.scopes import Scope

_JUDGE = "/v1/judges/{name}"

JUDGE_ROUTES: tuple[Operation, ...] = (
    Operation("GET", "/v1/models", models.models, "All that a job can be made of", messages.ModelsAnswer),
    Operation("GET", "/v1/judges", handlers.listed, "Judges, the one in place, who holds which", messages.JudgesAnswer),
    Operation(
        "GET",
        "/v1/judges/history",
        handlers.history,
        "Every version that was put in place",
        messages.HistoryAnswer,
        query=PageOf,
    ),
    Operation(
        "POST",
        "/v1/judges/back",
        handlers.back,
        "Put the judge of an earlier version in place again",
        messages.VersionAnswer,
        body={JSON: messages.BackBody},
        problems=(404,),
        scope=Scope.ADMIN,
        audit="use-judge",
    ),
    Operation(
        "PUT",
        _JUDGE,
        handlers.define,
        "Define a judge, or change its definition",
        messages.DefinitionAnswer,
        body={JSON: messages.DefinitionBody},
        problems=(422,),
        scope=Scope.ADMIN,
        audit="define-judge",
    ),
    Operation(
        "DELETE",
        _JUDGE,
        handlers.forget,
        "Forget a judge's definition",
        status=204,
        problems=(404, 409),
        scope=Scope.ADMIN,
        audit="forget-judge",
    ),
    Operation(
        "POST",
        _JUDGE + "/test",
        handlers.test,
        "Ask a judge about a few made-up conflicts",
        messages.TestAnswer,
        problems=(404, 422),
        scope=Scope.SUBMIT,
    ),
    Operation(
        "POST",
        _JUDGE + "/use",
        handlers.use,
        "Put a judge in place for all jobs that follow",
        messages.VersionAnswer,
        body={JSON: messages.UseBody},
        body_required=False,
        problems=(404, 422),
        scope=Scope.ADMIN,
        audit="use-judge",
    ),
)
