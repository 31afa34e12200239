"""`medner serve-models`: the vLLM servers that a configuration needs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medner.core.environment import VLLM_PYTHON, variable
from medner.service.cli.bounds import not_empty
from medner.service.cli.reporting import print_json
from medner.service.vllm_servers.plan import Device, ServerPart, Speculation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medner.service.vllm_servers.command import ServeCommand
    from medner.service.vllm_servers.running import Serving

HELP = """Start the vLLM servers that a configuration needs, and stop them together.

One server has the base model and every adapter that writes, each under a model name (cmeee-v2.symbol). Another runs \
all span taggers of the base (cmeee-v2.spans), and the judge's where it reads with one: their adapters are merged into \
the base when it starts, or before that by medner export (--spans). Each further base model gets servers of its own \
(cmeee-v2.spans.BASE); so does an exported llm-cls filter (medner export). They take one port after the other.

vLLM needs its own environment (scripts/vllm_environment.sh makes one for processors); --vllm names its Python.

The servers listen only on this machine, unless --host names another address and VLLM_API_KEY is set. Ctrl-C or \
SIGTERM stops them and all their processes.

\b
Examples:
  medner serve-models --vllm .venv-vllm/bin/python
  medner annotate notes/ -o out.jsonl --server http://127.0.0.1:8101 --server http://127.0.0.1:8102
  medner serve-models --preset balanced --part spans
  medner serve-models --taggers symbol --dry-run
  medner serve-models --taggers symbol --vllm .venv-vllm/bin/python
  medner serve-models --config hospital.toml --device gpu --replicas 2
  medner annotate notes/ -o out.jsonl --taggers symbol --server http://127.0.0.1:8101

Exit code: 0 stopped; 2 wrong input or option; 3 a server could not be started or died.
"""


_PORTS = 65_536


def register(app: typer.Typer) -> None:
    """Adds the subcommand."""
    app.command("serve-models", help=HELP)(serve_models)


def serve_models(  # noqa: PLR0913  the options of a command are its parameters
    *,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Configuration in TOML.")] = None,
    labels: Annotated[str | None, typer.Option("--labels", metavar="NAME|FILE", help="Label set.")] = None,
    taggers: Annotated[
        str | None, typer.Option("--taggers", metavar="LIST", help="The taggers to serve, as for medner annotate.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", metavar="JUDGE", help="The judge to serve, as for medner annotate.")
    ] = None,
    filter_: Annotated[
        str | None, typer.Option("--filter", metavar="FILTER", help="The filter to serve, as for medner annotate.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="NAME", help="Serve a preset, as for medner annotate.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME|FOLDER", help="Base model.")] = None,
    device: Annotated[
        Device, typer.Option("--device", help="Run the servers on the processor or on a GPU.")
    ] = Device.CPU,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65_535, help="Port of the first server; the others take the next ones.")
    ] = 8101,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            callback=not_empty,
            help="Address to listen on; other addresses than loopback need VLLM_API_KEY.",
        ),
    ] = "127.0.0.1",
    part: Annotated[
        ServerPart,
        typer.Option(
            "--part",
            help="Start all servers, or only those of models that write, of span taggers, of a judge that reads on a "
            "base model of its own, or of the filter.",
        ),
    ] = ServerPart.ALL,
    replicas: Annotated[int, typer.Option("--replicas", min=1, max=64, help="Identical servers of each kind.")] = 1,
    speculation: Annotated[
        Speculation,
        typer.Option("--speculation", help="How tokens are drafted; it changes the speed, not the answers."),
    ] = Speculation.COPY,
    context: Annotated[
        int | None,
        typer.Option(
            "--context",
            metavar="TOKENS",
            min=256,
            max=1_048_576,
            help="Longest prompt and answer together; computed by default.",
        ),
    ] = None,
    dtype: Annotated[str | None, typer.Option("--dtype", metavar="TYPE", help="bfloat16 (default) or float32.")] = None,
    vllm: Annotated[
        str | None,
        typer.Option("--vllm", metavar="PYTHON", help="vLLM's Python; default $MEDNER_VLLM_PYTHON, then .venv-vllm."),
    ] = None,
    adapter_updates: Annotated[
        bool,
        typer.Option(
            "--adapter-updates",
            help="Allow adapters to be loaded and unloaded while servers run (/v1/load_lora_adapter).",
        ),
    ] = False,
    spans: Annotated[
        list[Path] | None,
        typer.Option(
            "--spans",
            metavar="FOLDER",
            help="The span taggers of a base model as medner export merged them; repeatable, once a base.",
        ),
    ] = None,
    gpu_memory: Annotated[
        float,
        typer.Option(
            "--gpu-memory",
            metavar="SHARE",
            min=0.05,
            max=1.0,
            help="Share of one GPU's memory for these servers together; each gets what it needs of it.",
        ),
    ] = 0.92,
    logs: Annotated[
        Path | None,
        typer.Option(
            "--logs", metavar="FOLDER", help="Folder for the servers' output; - for standard error. Default: logs."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print command lines and memory, and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print command lines, environment and URLs as JSON.")] = False,
) -> None:
    from medner.service.build.cpu_cores import physical_cores
    from medner.service.build.engines import model_folder
    from medner.service.config.options import Overrides, configured
    from medner.service.vllm_servers.command import serve_commands
    from medner.service.vllm_servers.memory import memory_in_words
    from medner.service.vllm_servers.plan import Plan
    from medner.store.models.store import default_root

    configuration = configured(Overrides(config, labels, model, taggers, judge, filter_, preset=preset))
    plan = Plan(
        device=device,
        port=port,
        replicas=replicas,
        python=vllm or _python(),
        speculation=speculation,
        context=context,
        dtype=dtype,
        threads=physical_cores(),
        adapter_updates=adapter_updates,
        host=host,
        part=part,
        spans=tuple(spans or ()),
        gpu_memory=gpu_memory,
    )
    _check_host(host)
    commands = serve_commands(configuration, model_folder(configuration), plan)
    if port + len(commands) > _PORTS:
        raise typer.BadParameter(
            f"{len(commands)} servers from {port} on need ports above 65535", param_hint="'--port'"
        )
    if as_json:
        shown = [
            {"url": one.url, "arguments": list(one.arguments), "environment": dict(one.environment)} for one in commands
        ]
        print_json(shown)
    if dry_run:
        for command in () if as_json else commands:
            typer.echo(command.shell())
            for line in memory_in_words(command.arguments, cache_gib=plan.cache_gib if device is Device.CPU else None):
                typer.echo(f"# {line}")
        return
    _serve(commands, default_root().parent / "logs" if logs is None else None if str(logs) == "-" else logs, device)


def _check_host(host: str) -> None:
    """UserError for a server that others could reach without a key."""
    import ipaddress

    from medner.core.errors import UserError

    try:
        own = ipaddress.ip_address(host).is_loopback
    except ValueError:
        own = host == "localhost"
    if not own and not os.environ.get("VLLM_API_KEY"):
        raise UserError(
            f"--host {host}: everybody who reaches this address could use the models; set the environment variable "
            "VLLM_API_KEY to a key of your choice (clients name it with key_env), or leave --host out"
        )


def _python() -> str:
    beside = Path(".venv-vllm/bin/python")
    return variable(VLLM_PYTHON) or (str(beside) if beside.is_file() else "python")


def _serve(commands: Sequence[ServeCommand], logs: Path | None, device: Device) -> None:
    import signal
    import time

    from rich.console import Console

    from medner.core.errors import ExternalError
    from medner.service.vllm_servers.running import serving

    console = Console(stderr=True)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    said = 0.0

    def waiting(servers: Sequence[Serving], seconds: float) -> None:
        nonlocal said
        if seconds - said >= 10:
            said = seconds
            console.print(f"waiting for {len(servers)} server(s), {seconds:.0f} s", markup=False)

    console.print(f"starting {len(commands)} server(s); their output: {logs or 'here'}", markup=False)
    try:
        with serving(commands, logs, in_turn=device is Device.GPU, on_wait=waiting) as running:
            options = " ".join(f"--server {one.command.url}" for one in running)
            console.print(f"ready: medner annotate ... {options}", markup=False)
            while not any(one.ended for one in running):
                time.sleep(1)
            dead = next(one for one in running if one.ended)
            raise ExternalError(f"{dead.command.url}: the server ended:\n{dead.tail()}")
    except KeyboardInterrupt:
        console.print("stopped", markup=False)
