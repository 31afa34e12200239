"""The routes of the review queue."""

from __future__ import annotations

from medner.service.http.messages import review_messages as messages
from medner.service.http.messages.annotated import FullConflictAnswer
from medner.service.http.messages.trace_requests import DecisionBody
from medner.service.http.operation import JSON, Operation
from medner.service.http.review import handlers
from medner.service.http.scopes import Scope

_REVIEW = "/v1/jobs/{id}/review"
_CLAIM = "/v1/review/claims/{token}"

REVIEW_ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        _REVIEW + "/progress",
        handlers.progress,
        "How much of the doubt is settled, and how many decisions settle how much of the rest",
        messages.ProgressAnswer,
        problems=(404, 409),
        scope=Scope.REVIEW,
    ),
    Operation(
        "POST",
        _REVIEW + "/claim",
        handlers.claim,
        "Take the conflict that is worth a look most; 204 when none is left",
        messages.ClaimAnswer,
        body={JSON: messages.ClaimBody},
        body_required=False,
        problems=(404, 409),
        others={204: None},
        scope=Scope.REVIEW,
    ),
    Operation(
        "POST",
        _REVIEW + "/undo",
        handlers.undo,
        "Take the caller's newest decision back",
        FullConflictAnswer,
        body={JSON: messages.UndoBody},
        body_required=False,
        problems=(404, 409),
        scope=Scope.REVIEW,
        audit="take-back",
    ),
    Operation(
        "POST",
        _CLAIM + "/keep",
        handlers.keep,
        "Hold a claim on",
        messages.KeptAnswer,
        problems=(404, 409),
        scope=Scope.REVIEW,
    ),
    Operation(
        "POST",
        _CLAIM + "/decide",
        handlers.decide,
        "Decide the conflict",
        messages.DecidedAnswer,
        body={JSON: DecisionBody},
        problems=(404, 409),
        scope=Scope.REVIEW,
        audit="overrule",
    ),
    Operation(
        "POST",
        _CLAIM + "/skip",
        handlers.skip,
        "Put the conflict aside",
        status=204,
        body={JSON: messages.SkipBody},
        body_required=False,
        problems=(404, 409),
        scope=Scope.REVIEW,
    ),
    Operation(
        "POST",
        _CLAIM + "/ask",
        handlers.ask,
        "Ask another judge about the conflict; nothing changes",
        messages.AskedAnswer,
        body={JSON: messages.AskBody},
        problems=(404,),
        scope=Scope.REVIEW,
    ),
    Operation(
        "DELETE", _CLAIM, handlers.release, "Give the conflict back", status=204, problems=(404,), scope=Scope.REVIEW
    ),
)
