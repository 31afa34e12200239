"""`medner judges test` and `use`: a judge is examined, then put in place."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from medner.core.errors import UserError
from medner.service.cli.bounds import DAY_S, MOST, finite, judge_name
from medner.service.cli.judge_options import AsJson, Name, with_registry
from medner.service.cli.reporting import print_json, say

if TYPE_CHECKING:
    from medner.service.worker.examine_judge import Examination
    from medner.store.judges import JudgeRegistry


def register(judges: typer.Typer) -> None:
    """Adds the commands to `medner judges`."""
    judges.command("test")(examine_judge)
    judges.command()(use)


def examine_judge(context: typer.Context, name: Name, *, as_json: AsJson = False) -> None:
    """Ask a judge about a few made-up conflicts, and show its answers.

    Example: medner judges test strict

    Exit code: 0 all answers can be used; 1 an answer cannot be used; 2 there is no such judge; 3 Redis failed.
    """

    async def run(registry: JudgeRegistry) -> int:
        from medner.service.worker.use_judge import examined

        definition = await registry.definition(name)
        found = await examined(definition.judge, context.obj)
        _tell(found, as_json=as_json)
        return 0 if found.passed else 1

    raise typer.Exit(with_registry(run) or 0)


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
) -> None:
    """Put a judge in place: it decides in all jobs that follow, from each worker's next sentence on.

    The command tests the judge first, as medner judges test does.

    Example: medner judges use strict --why 'fewer fallbacks'

    Exit code: 0 done; 1 it is in place, but some workers have not changed yet; 2 no such judge, or it failed the
    test; 3 Redis failed.
    """
    if (name is None) == (back_to is None):
        raise UserError("name a judge, or an earlier version with --back-to")

    async def run(registry: JudgeRegistry) -> int:
        from medner.service.worker.use_judge import JudgeTestError, next_version, put_in_place

        version = await next_version(registry, name, back_to)
        try:
            seated = await put_in_place(registry, version, by=by, why=why, force=force, engine_factory=context.obj)
        except JudgeTestError as error:
            _tell(error.examination, as_json=False)
            raise UserError(f"{error}; mend it, or --force it in place") from error
        say(f"version {seated.number}: {seated.name} ({seated.smoke})")
        return await _wait_for_workers(registry, seated.number, wait)

    raise typer.Exit(with_registry(run) or 0)


async def _wait_for_workers(registry: JudgeRegistry, number: int, wait_s: float) -> int:
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


def _tell(found: Examination, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
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
        )
        return
    for one in found.results:
        state = "unusable" if one.verdict is None else "right" if one.right else "usable, but wrong"
        typer.echo(f"{state}  {one.seconds:.2f} s  {one.case.sentence.text}  {one.problem}".rstrip())
    typer.echo(found.summary)
