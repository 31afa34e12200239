"""`medner judges test` and `use`: a judge is examined, then put in place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medner.core.errors import RefusedError, UserError
from medner.service.cli.bounds import DAY_S, MOST, finite, judge_name
from medner.service.cli.judge_options import AsJson, JudgesThere, Name, with_judges_there
from medner.service.cli.remote.options import Remote, with_server
from medner.service.cli.reporting import print_json, say

if TYPE_CHECKING:
    from medner.service.worker.examine_judge import Examination
    from medner.store.judges import JudgeRegistry, JudgeVersion


def register(judges: typer.Typer) -> None:
    """Adds the commands to `medner judges`."""
    judges.command("test")(examine_judge)
    judges.command()(use)


@with_server
def examine_judge(context: typer.Context, name: Name, *, remote: Remote, as_json: AsJson = False) -> None:
    """Ask a judge about a few made-up conflicts, and show its answers.

    Example: medner judges test strict

    Exit code: 0 all answers can be used; 1 one cannot be used; 2 there is no such judge; 3 Redis or the server failed.
    """

    async def run(registry: JudgesThere) -> int:
        from medner.service.worker.use_judge import examined
        from medner.store.judges import JudgeRegistry

        if isinstance(registry, JudgeRegistry):
            definition = await registry.definition(name)
            found = _as_data(await examined(definition.judge, context.obj))
        else:
            found = await registry.examine(name)
        _tell(found, as_json=as_json)
        return 0 if found["passed"] else 1

    raise typer.Exit(with_judges_there(remote, run) or 0)


@with_server
def use(  # noqa: PLR0913  one parameter an option
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", callback=judge_name, help="The judge to put in place.")
    ] = None,
    *,
    back_to: Annotated[
        int | None,
        typer.Option(
            "--back-to",
            metavar="VERSION",
            min=1,
            max=MOST,
            help="Put the judge of this earlier version in place again.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Put it in place even if the test fails.")] = False,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for the history.")] = "",
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides.")] = "",
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            min=0,
            max=DAY_S,
            callback=finite,
            help="How long to wait for the workers to change.",
        ),
    ] = 5,
    remote: Remote,
) -> None:
    """Put a judge in place: it decides in all jobs that follow, from each worker's next sentence on.

    The command tests the judge first, as medner judges test does.

    Example: medner judges use strict --why 'fewer fallbacks'

    Exit code: 0 done; 1 it is in place, but some workers have not changed yet; 2 no such judge, or it failed the
    test; 3 Redis or the server failed.
    """
    if (name is None) == (back_to is None):
        raise UserError("name a judge, or an earlier version with --back-to")

    remote.refuse(by=by or None)

    async def run(registry: JudgesThere) -> int:
        from medner.store.judges import JudgeRegistry

        if isinstance(registry, JudgeRegistry):
            seated = await _put_in_place(registry, (name, back_to), context, by=by, why=why, force=force)
        else:
            try:
                seated = await registry.put_in_place(name, back_to, why=why, force=force)
            except RefusedError as error:
                _tell_failed_test(error)
                raise
        say(f"version {seated.number}: {seated.name} ({seated.smoke})")
        return await _wait_for_workers(registry, seated.number, wait)

    raise typer.Exit(with_judges_there(remote, run) or 0)


async def _put_in_place(
    registry: JudgeRegistry,
    named: tuple[str | None, int | None],
    context: typer.Context,
    *,
    by: str,
    why: str,
    force: bool,
) -> JudgeVersion:
    from medner.service.worker.use_judge import JudgeTestError, next_version, put_in_place

    version = await next_version(registry, *named)
    try:
        return await put_in_place(registry, version, by=by, why=why, force=force, engine_factory=context.obj)
    except JudgeTestError as error:
        _tell(_as_data(error.examination), as_json=False)
        raise UserError(f"{error}; mend it, or --force it in place") from error


def _tell_failed_test(error: RefusedError) -> None:
    from medner.service.cli.remote.judges import failed_test

    test = failed_test(error)
    if test is not None:
        _tell(test, as_json=False)


async def _wait_for_workers(registry: JudgesThere, number: int, wait_s: float) -> int:
    """0 when every worker that follows holds the version, else 1 after ``wait_s``."""
    end = time.monotonic() + wait_s
    while True:
        held = await registry.held()
        late = [one for one in held if one.number < number]
        if not late:
            say(f"{len(held)} workers hold it" if held else "no worker follows at the moment")
            return 0
        if time.monotonic() >= end or any(one.problem for one in late):
            for one in late:
                say(
                    f"worker {one.worker} still holds version {one.number}"
                    + (f": {one.problem}" if one.problem else "")
                )
            return 1
        await asyncio.sleep(0.1)


def _as_data(found: Examination) -> dict[str, Any]:
    return {
        "passed": found.passed,
        "summary": found.summary,
        "cases": [
            {
                "text": one.case.sentence.text,
                "usable": one.verdict is not None,
                "right": one.right,
                "seconds": round(one.seconds, 3),
                "problem": one.problem,
                "answer": one.answer,
            }
            for one in found.results
        ],
    }


def _tell(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for one in found["cases"]:
        state = "unusable" if not one["usable"] else "right" if one["right"] else "usable, but wrong"
        typer.echo(f"{state}  {one['seconds']:.2f} s  {one['text']}  {one['problem']}".rstrip())
    typer.echo(found["summary"])
