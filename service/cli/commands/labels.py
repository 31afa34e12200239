"""`medner labels`: the label sets there are, one in full, and the check of one's own."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medner.core.choices import DEFAULT_LABELS
from medner.core.errors import UserError

if TYPE_CHECKING:
    from medner.core.labels import LabelSet

labels_app = typer.Typer(
    no_args_is_help=True,
    help="List label sets, the entity types of a task, and check your own.\n\n"
    "    medner labels show cmeee-v2 --toml > mine.toml      # start from a shipped one\n\n"
    "    medner labels check mine.toml                       # after editing\n\n"
    "    medner annotate note.txt --labels mine.toml",
)

_Name = Annotated[str, typer.Argument(metavar="[NAME]", help="cmeee-v2, ccks2019, or a .toml file.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


def register(app: typer.Typer) -> None:
    """Adds `medner labels`."""
    app.add_typer(labels_app, name="labels")


@labels_app.command("list")
def list_(as_json: _Json = False) -> None:
    """List the label sets that ship.

    Example: medner labels list

    Exit code: 0 done.
    """
    from medner.core.labels import SHIPPED, load_label_set

    sets = [load_label_set(name) for name in SHIPPED]
    if as_json:
        typer.echo(json.dumps([_summary(one) for one in sets], ensure_ascii=False))
        return
    for one in sets:
        typer.echo(f"{one.name}\t{len(one.types)} types\t{one.title}")


@labels_app.command()
def show(
    name: _Name = DEFAULT_LABELS,
    as_toml: Annotated[bool, typer.Option("--toml", help="Print TOML, to start your own label set.")] = False,
    as_json: _Json = False,
) -> None:
    """Show a label set's types and its rules for entities.

    Example: medner labels show ccks2019

    Exit code: 0 done; 2 there is no such label set, or the file has a mistake.
    """
    from medner.core.labels import label_set_toml, load_label_set

    if as_toml and as_json:
        raise UserError("--toml and --json exclude one another")
    if as_toml:
        typer.echo(label_set_toml(name), nl=False)
        return
    labels = load_label_set(name)
    if as_json:
        typer.echo(json.dumps(asdict(labels), ensure_ascii=False))
        return
    typer.echo(f"{labels.name}: {labels.title}")
    for one in labels.types:
        typer.echo(f"{one.code}\t{one.name}\t{one.definition}")
    typer.echo(f"No entity begins or ends with: {labels.edges.in_words()}")
    typer.echo(labels.nesting.in_words())


@labels_app.command()
def fhir(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="cmeee-v2 or ccks2019.")] = DEFAULT_LABELS,
) -> None:
    """Print which FHIR resources the types become, as TOML: the mapping to start your own from (--fhir-mapping).

    Example: medner labels fhir cmeee-v2 > mapping.toml

    Exit code: 0 done; 2 no mapping ships for this label set.
    """
    from medner.store.corpora.fhir.mapping import mapping_toml

    typer.echo(mapping_toml(name), nl=False)


@labels_app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", readable=False, help="A label set in TOML.")],
    as_json: _Json = False,
) -> None:
    """Check your own label set.

    Example: medner labels check mine.toml

    Exit code: 0 it can be used; 2 the file has a mistake.
    """
    from medner.core.labels import load_label_set

    labels = load_label_set(file)
    if as_json:
        typer.echo(json.dumps(_summary(labels), ensure_ascii=False))
        return
    typer.echo(f"{file}: good; label set {labels.name!r} with {len(labels.types)} types: {', '.join(labels.codes)}")


def _summary(labels: LabelSet) -> dict[str, object]:
    shown: dict[str, object] = {"name": labels.name, "title": labels.title, "nested": labels.nested}
    if labels.outer is not None:
        shown["outer"] = list(labels.outer)
    return {**shown, "types": list(labels.codes)}
