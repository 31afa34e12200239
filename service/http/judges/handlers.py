"""The judges of the registry: listed, defined, tested, put in place, brought back, forgotten."""

from __future__ import annotations

import asyncio
import re

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from medner.core.errors import MednerError, UserError
from medner.service.config.judges import JudgeConfig
from medner.service.http.bodies import body_of
from medner.service.http.context import Service, service_of
from medner.service.http.judges.naming import checked_definition, in_words, shown_definition
from medner.service.http.messages.judge_answers import (
    BackBody,
    CaseAnswer,
    DefinitionAnswer,
    DefinitionBody,
    HistoryAnswer,
    HolderAnswer,
    JudgesAnswer,
    TestAnswer,
    UseBody,
    VersionAnswer,
)
from medner.service.http.messages.problems import Problem
from medner.service.http.messages.responses import json_answer, place_of, query_of
from medner.service.http.messages.trace_requests import PageOf
from medner.service.http.operation import acts_on, person_of
from medner.service.worker.examine_judge import Examination
from medner.service.worker.use_judge import examined, next_version
from medner.store.judges import JudgeDefinition, JudgeVersion
from medner.store.judges.records import NAME

#: Paths beside those of judges.
_RESERVED = ("back", "history")


async def listed(request: Request) -> Response:
    """GET /v1/judges"""
    registry = service_of(request).jobs.judges
    defined, current, held = await registry.definitions(), await registry.current(), await registry.held()
    newest = 0 if current is None else current.number
    return json_answer(
        JudgesAnswer(
            judges=tuple(_definition(one) for one in defined),
            in_place=None if current is None else _version(current),
            workers=tuple(
                HolderAnswer(worker=one.worker, version=one.number, changed=one.number == newest, problem=one.problem)
                for one in held
            ),
        )
    )


async def define(request: Request) -> Response:
    """PUT /v1/judges/{name}"""
    service, name = service_of(request), _name(request)
    body = await body_of(request, DefinitionBody)
    if not re.match(NAME, name) or len(name) > 80:
        raise Problem("unfitting", "a judge's name has 1 to 80 letters, digits, or . _ -", key="name")
    _, table = await asyncio.to_thread(checked_definition, body.judge)
    kept = await service.jobs.judges.add(JudgeDefinition(name=name, judge=table, by=person_of(request)))
    return json_answer(_definition(kept))


async def forget(request: Request) -> Response:
    """DELETE /v1/judges/{name}"""
    registry, name = service_of(request).jobs.judges, (await _known(request)).name
    try:
        await registry.remove(name)
    except UserError as error:
        raise Problem("wrong-state", str(error)) from error
    return Response(status_code=204)


async def test(request: Request) -> Response:
    """POST /v1/judges/{name}/test"""
    service, definition = service_of(request), await _known(request)
    found = await service.judging.alone(lambda: examined(definition.judge, service.engine_factory))
    return json_answer(_examination(found))


async def use(request: Request) -> Response:
    """POST /v1/judges/{name}/use"""
    service, body = service_of(request), await body_of(request, UseBody, required=False)
    definition = await _known(request)
    version = await next_version(service.jobs.judges, definition.name, None)
    return json_answer(await _put_in_place(request, service, version, body))


async def back(request: Request) -> Response:
    """POST /v1/judges/back"""
    service, body = service_of(request), await body_of(request, BackBody)
    acts_on(request, f"version {body.version}")
    try:
        version = await next_version(service.jobs.judges, None, body.version)
    except UserError as error:
        raise Problem("unknown-judge", str(error)) from error
    return json_answer(await _put_in_place(request, service, version, body))


async def history(request: Request) -> Response:
    """GET /v1/judges/history"""
    wanted = query_of(request, PageOf)
    before = place_of(wanted.cursor)
    versions = [one for one in await service_of(request).jobs.judges.history() if not before or one.number < before]
    page = versions[: wanted.limit]
    following = str(page[-1].number) if len(versions) > len(page) else None
    return json_answer(HistoryAnswer(versions=tuple(_version(one) for one in page), next=following))


async def _put_in_place(request: Request, service: Service, version: JudgeVersion, body: UseBody) -> VersionAnswer:
    """As ``medner judges use`` does it; Redis is this loop's, the judge's models are the runner's."""
    summary = "not tested"
    if not body.force:
        found = await service.judging.alone(lambda: examined(version.judge, service.engine_factory))
        summary = found.summary
        if not found.passed:
            raise Problem(
                "judge-test-failed",
                f"{version.name} did not pass its test ({summary}); mend it, or put it in place with force",
                test=_examination(found).model_dump(),
            )
    changes = {"by": person_of(request), "why": body.why, "forced": body.force, "smoke": summary}
    return _version(await service.jobs.judges.seat(version.model_copy(update=changes)))


def _name(request: Request) -> str:
    """The judge of the path. 405 for a name that is a path of its own."""
    name = str(request.path_params["name"])
    if name in _RESERVED:
        raise HTTPException(405)
    return name


async def _known(request: Request) -> JudgeDefinition:
    try:
        return await service_of(request).jobs.judges.definition(_name(request))
    except UserError as error:
        raise Problem("unknown-judge", str(error)) from error


def _definition(one: JudgeDefinition) -> DefinitionAnswer:
    shown = shown_definition(one.judge)
    try:
        outside = JudgeConfig.model_validate(shown).goes_out_to()
    except (ValueError, MednerError):
        outside = ()
    return DefinitionAnswer(
        name=one.name,
        revision=one.revision,
        definition=shown,
        words=in_words(one.judge),
        goes_out_to=outside,
        by=one.by,
        created=one.created,
    )


def _version(one: JudgeVersion) -> VersionAnswer:
    return VersionAnswer(
        version=one.number,
        name=one.name,
        revision=one.revision,
        words=in_words(one.judge),
        at=one.at,
        by=one.by,
        why=one.why,
        forced=one.forced,
        back_to=one.back_to,
        smoke=one.smoke,
    )


def _examination(found: Examination) -> TestAnswer:
    return TestAnswer(
        passed=found.passed,
        summary=found.summary,
        cases=tuple(
            CaseAnswer(
                text=one.case.sentence.text,
                usable=one.verdict is not None,
                right=one.right,
                seconds=round(one.seconds, 3),
                problem=one.problem,
                answer=one.answer,
            )
            for one in found.results
        ),
    )
