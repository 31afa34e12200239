"""The routes that Label Studio asks for: under ``/label-studio``, or ``/label-studio/NAME`` for a label set."""

from __future__ import annotations

from medner.service.http.label_studio import handlers
from medner.service.http.messages import label_studio as messages
from medner.service.http.messages.answers import ProblemAnswer
from medner.service.http.messages.problems import MEDIA_TYPE
from medner.service.http.operation import JSON, Operation
from medner.service.http.scopes import Scope

_BASES = ("/label-studio", "/label-studio/{labels}")


def _at(base: str) -> tuple[Operation, ...]:
    return (
        Operation(
            "GET",
            f"{base}/health",
            handlers.health,
            "Label Studio: whether the server can do its work",
            messages.LabelStudioHealthAnswer,
        ),
        Operation(
            "POST",
            f"{base}/setup",
            handlers.setup,
            "Label Studio: whether a project's labels fit; 303 leads to what does not",
            messages.LabelStudioSetupAnswer,
            body={JSON: messages.LabelStudioSetupBody},
            others={303: None},
            scope=Scope.SUBMIT,
        ),
        Operation(
            "POST",
            f"{base}/predict",
            handlers.predict,
            "Label Studio: predictions for tasks",
            messages.LabelStudioPredictAnswer,
            body={JSON: messages.LabelStudioPredictBody},
            scope=Scope.SUBMIT,
            audit="annotate",
        ),
        Operation(
            "GET",
            f"{base}/versions",
            handlers.versions,
            "Label Studio: the models that annotate now",
            messages.LabelStudioVersionsAnswer,
            problems=(409,),
        ),
        Operation(
            "POST",
            f"{base}/webhook",
            handlers.webhook,
            "Label Studio: what happened in a project; nothing is done with it",
            messages.LabelStudioWebhookAnswer,
            body={JSON: messages.LabelStudioWebhookBody},
            others={303: None},
        ),
    )


LABEL_STUDIO_ROUTES: tuple[Operation, ...] = (
    *(one for base in _BASES for one in _at(base)),
    Operation(
        "GET",
        "/label-studio/problems/{reason}",
        handlers.problem,
        "Label Studio: what does not fit, in words",
        ProblemAnswer,
        media=MEDIA_TYPE,
        status=409,
        open=True,
    ),
)
