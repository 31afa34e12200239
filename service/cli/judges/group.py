"""`medner judges`: which judges there are, which one decides, and since when."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medner.core.errors import BadInputError, UserError
from medner.service.cli.judge_options import AsJson, JudgesThere, Name, as_data, with_judges_there
from medner.service.cli.judges import use as judges_use
from medner.service.cli.judges.definitions import in_words, needed, table_in, validated, words
from medner.service.cli.remote.options import Remote, with_server, with_server_as
from medner.service.cli.reporting import print_json, print_table, say

if TYPE_CHECKING:
    pass

HELP = """Define judges by name, and choose the one that decides in running jobs.

`add` defines a judge, `use` puts it in place: it then decides in all jobs that follow (--judge-follow latest), from \
each worker's next sentence on. Each use makes a new version, and every verdict has the judge's name and version.

\b
Examples:
  medner judges add strict --judge select:openai:qwen3-32b --url http://10.0.0.3:8000/v1
  medner judges test strict
  medner judges use strict --why 'fewer fallbacks on ward notes'
  medner judges list                     # which workers have changed
  medner judges use --back-to 4          # the judge of version 4 again, as a new version
  medner submit notes/ --judge-follow latest
  medner submit notes/ --judge @4        # always this version
  medner judges list --server https://ward.example.org --key-env WARD_KEY
"""

#: Which option gives a key of a judge's table.
_OPTIONS = {"url": "--url", "key_env": "--key-env", "template": "--template", "fallback": "--fallback"}
judges_app = typer.Typer(no_args_is_help=True, help=HELP)


def register(app: typer.Typer) -> None:
    """Adds `medner judges`."""
    judges_use.register(judges_app)
    app.add_typer(judges_app, name="judges")


@judges_app.command("list")
@with_server
def list_(*, remote: Remote, as_json: AsJson = False) -> None:
    """List the judges, the version in place, and each worker's version.

    Example: medner judges list

    Exit code: 0 done; 3 Redis or the server failed.
    """

    async def run(registry: JudgesThere) -> None:
        defined, current, held = await registry.definitions(), await registry.current(), await registry.held()
        if as_json:
            print_json(
                {
                    "judges": [as_data(remote, one) for one in defined],
                    "in_place": None if current is None else as_data(remote, current),
                    "workers": [as_data(remote, one) for one in held],
                }
            )
            return
        rows = [
            (one.name, str(one.revision), in_words(registry, one), one.by, f"{one.created:%Y-%m-%d %H:%M}")
            for one in defined
        ]
        print_table(("judge", "revision", "what it is", "by", "defined (UTC)"), rows)
        if current is None:
            typer.echo("\nin place: none; following jobs use the judge they were submitted with")
        else:
            typer.echo(
                f"\nin place: {current.name}, version {current.number}, since {current.at:%Y-%m-%d %H:%M:%S} UTC"
            )
        newest = 0 if current is None else current.number
        for one in held:
            state = "changed" if one.number == newest else "not yet changed"
            typer.echo(f"  worker {one.worker}: version {one.number} ({one.problem or state})")
        if not held:
            typer.echo("  no worker follows at the moment")

    with_judges_there(remote, run)


@judges_app.command()
@with_server_as(key_env="--server-key-env")
def add(  # noqa: PLR0913  one parameter an option
    name: Name,
    *,
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge", metavar="JUDGE", help="The judge, as for medner annotate: select:PROVIDER:MODEL, hard-vote ..."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="Take the judge from the [judge] table of this file instead of --judge."
        ),
    ] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="The model server's address.")] = None,
    key_env: Annotated[
        str | None,
        typer.Option("--key-env", metavar="VARIABLE", help="The environment variable that holds the server's key."),
    ] = None,
    template: Annotated[
        str | None, typer.Option("--template", metavar="NAME|FILE", help="The prompt: direct, step-by-step, or a file.")
    ] = None,
    joint: Annotated[
        bool, typer.Option("--joint", help="Ask about all conflicts of a sentence in one question.")
    ] = False,
    may_abstain: Annotated[
        bool, typer.Option("--may-abstain", help="The judge may leave a conflict to a person.")
    ] = False,
    fallback: Annotated[
        list[str] | None,
        typer.Option(
            "--fallback", metavar="JUDGE", help="The judge to ask if this one cannot decide; repeatable, in order."
        ),
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Your name, for the record.")] = "",
    remote: Remote,
) -> None:
    """Define a judge, or change its definition. It decides nothing until `use`.

    Secrets are not stored, only the names of environment variables.

    Example: medner judges add vote --judge hard-vote

    Exit code: 0 done; 2 wrong judge or option; 3 Redis or the server failed.
    """
    from medner.service.config.frozen import freeze_data
    from medner.service.config.judges import read_judge
    from medner.store.judges import JudgeDefinition, JudgeRegistry

    if (judge is None) == (config is None):
        raise UserError("give the judge with --judge, or a file that holds it with --config")
    given = {
        "url": url,
        "key_env": key_env,
        "template": template,
        "joint": joint or None,
        "may_abstain": may_abstain or None,
    }
    table = read_judge(judge) if judge is not None else table_in(config or Path())
    table |= {key: value for key, value in given.items() if value is not None}
    if fallback:
        table["fallback"] = list(fallback)
    try:
        checked = validated(table)
    except BadInputError as error:
        key = (error.key or "").partition(".")[0]
        if key not in _OPTIONS or not {**given, "fallback": fallback}.get(key):
            raise
        raise UserError(f"Invalid value for '{_OPTIONS[key]}': {error.reason}") from error
    for host in checked.goes_out_to():
        say(f"note: this judge sends sentences to {host}")
    remote.refuse(by=by or None)
    data = freeze_data(checked.model_dump(mode="json"))

    async def run(registry: JudgesThere) -> None:
        if isinstance(registry, JudgeRegistry):
            kept = await registry.add(JudgeDefinition(name=name, judge=data, by=by or getpass.getuser()))
        else:
            # As it was given: the server knows its own folders.
            kept = await registry.define(name, checked.model_dump(mode="json", exclude_unset=True))
        say(f"judge {kept.name}, revision {kept.revision}: {checked.in_words()}")

    with_judges_there(remote, run)


@judges_app.command()
@with_server
def show(name: Name, *, remote: Remote, as_json: AsJson = False) -> None:
    """Show a judge's whole definition.

    Example: medner judges show strict

    Exit code: 0 done; 2 there is no such judge; 3 Redis or the server failed.
    """

    async def run(registry: JudgesThere) -> None:
        found = await registry.definition(name)
        if as_json:
            print_json(as_data(remote, found))
            return
        typer.echo(
            f"judge {found.name}, revision {found.revision}, by {found.by}, {found.created:%Y-%m-%d %H:%M:%S} UTC"
        )
        judge = validated(found.judge).model_dump(mode="json")
        usual = validated({"kind": judge["kind"]} | needed(judge)).model_dump(mode="json")
        for key, value in judge.items():
            if key == "fallback":
                value = ", then ".join(map(words, value))  # noqa: PLW2901  each in words
            if value != usual.get(key) or key == "kind":
                typer.echo(f"  {key}: {json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value}")

    with_judges_there(remote, run)


@judges_app.command()
@with_server
def remove(name: Name, *, remote: Remote) -> None:
    """Remove a judge's definition. Its versions stay, so that jobs pinned to them go on.

    Example: medner judges remove old

    Exit code: 0 done; 2 there is no such judge; 3 Redis or the server failed.
    """

    async def run(registry: JudgesThere) -> None:
        await registry.remove(name)
        say(f"removed: {name}")

    with_judges_there(remote, run)


@judges_app.command()
@with_server
def history(*, remote: Remote, as_json: AsJson = False) -> None:
    """List every version that was put in place, the newest first.

    Example: medner judges history

    Exit code: 0 done; 3 Redis or the server failed.
    """

    async def run(registry: JudgesThere) -> None:
        found = await registry.history()
        if as_json:
            print_json([as_data(remote, one) for one in found])
            return
        rows = [
            (
                str(one.number),
                one.name,
                f"{one.at:%Y-%m-%d %H:%M:%S}",
                one.by,
                f"back to {one.back_to}" if one.back_to else "",
                "forced" if one.forced else "",
                one.why,
            )
            for one in found
        ]
        print_table(("version", "judge", "since (UTC)", "by", "", "", "why"), rows)

    with_judges_there(remote, run)
