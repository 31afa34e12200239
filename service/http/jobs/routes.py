"""The routes of jobs."""

from __future__ import annotations

from medner.service.http.jobs import documents, handlers
from medner.service.http.jobs.annotate import annotate
from medner.service.http.jobs.events import events
from medner.service.http.jobs.page import page
from medner.service.http.jobs.results import ZIP, results
from medner.service.http.jobs.submit import submit
from medner.service.http.messages import answers, requests
from medner.service.http.messages.comparison_answers import AgreementAnswer
from medner.service.http.messages.trace_requests import AgreementQuery
from medner.service.http.operation import EVENTS, JSON, LINES, Operation
from medner.service.http.scopes import Scope

HTML = "text/html"
_JOB = "/v1/jobs/{id}"

JOB_ROUTES: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/annotate",
        annotate,
        "Annotate texts at once; 202 when it takes longer than the request waits",
        answers.AnnotatedAnswer,
        body={JSON: requests.AnnotateBody},
        others={202: answers.WaitingAnswer},
        problems=(404,),
        scope=Scope.SUBMIT,
        audit="annotate",
    ),
    Operation("GET", "/v1/labels", handlers.labels, "Label sets, taggers and filters", answers.LabelSetsAnswer),
    Operation(
        "GET", "/v1/jobs", handlers.listed, "Jobs, the newest first", answers.JobsAnswer, query=requests.ListQuery
    ),
    Operation(
        "POST",
        "/v1/jobs",
        submit,
        "Submit documents as a job",
        answers.SubmitAnswer,
        status=202,
        query=requests.JobOptions,
        body={JSON: requests.SubmitBody, LINES: requests.DocumentBody},
        problems=(400, 409),
        scope=Scope.SUBMIT,
        audit="submit",
        key_header=True,
    ),
    Operation("GET", _JOB, handlers.show, "A job as it is now", answers.JobAnswer, problems=(404,)),
    Operation(
        "DELETE",
        _JOB,
        handlers.delete,
        "Forget an ended job and its results",
        status=204,
        problems=(404, 409),
        scope=Scope.SUBMIT,
        audit="delete-job",
    ),
    Operation(
        "POST",
        _JOB + "/cancel",
        handlers.cancel,
        "End a job",
        answers.JobAnswer,
        problems=(404,),
        scope=Scope.SUBMIT,
        audit="cancel",
    ),
    Operation(
        "POST",
        _JOB + "/replay",
        handlers.replay,
        "Do again what failed or was never done",
        answers.ReplayAnswer,
        problems=(404, 409),
        scope=Scope.SUBMIT,
        audit="replay",
    ),
    Operation(
        "GET",
        _JOB + "/results",
        results,
        "The documents with their entities and people's decisions, in any format",
        answers.ResultLine,
        media=LINES,
        further_media=(JSON, ZIP, "text/plain"),
        query=requests.ResultsQuery,
        problems=(404,),
    ),
    Operation(
        "GET",
        _JOB + "/documents",
        documents.documents,
        "Documents with their conflicts, filtered",
        answers.DocumentsAnswer,
        query=requests.DocumentsQuery,
        problems=(404,),
    ),
    Operation(
        "GET",
        _JOB + "/agreement",
        documents.agreement,
        "How far the taggers of a job agree, and whose word the judge takes",
        AgreementAnswer,
        query=AgreementQuery,
        problems=(404,),
    ),
    Operation(
        "GET",
        _JOB + "/page",
        page,
        "Some of the documents as a page to read",
        media=HTML,
        query=requests.PageQuery,
        problems=(404,),
    ),
    Operation(
        "GET",
        _JOB + "/events",
        events,
        "The job's progress while it runs",
        answers.ProgressEvent,
        EVENTS,
        problems=(404,),
    ),
    Operation(
        "GET",
        _JOB + "/dead",
        handlers.dead,
        "The sentences that were given up",
        answers.DeadLettersAnswer,
        problems=(404,),
    ),
)
