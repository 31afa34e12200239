"""`medner train soft-labels`: what trained span taggers think of annotated texts, for smaller ones to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medner.core.choices import DEFAULT_LABELS
from medner.service.cli.bounds import finite
from medner.service.cli.read_options import with_read_options
from medner.service.cli.train import shared
from medner.store.corpora.reading.read_options import ReadOptions

HELP = """Write soft labels: the probabilities that trained span taggers give each entity in annotated texts.

`medner train span --soft-labels` learns from them in place of the annotation: a smaller tagger learns more from \
probabilities than from yes and no. With --fold N/K the command labels only that part of the texts: give taggers that \
were trained with the same --fold, which leaves the part out. Texts that training holds back are left out.

\b
Examples:
  medner train span train.json --fold 0/3 -o runs/part0
  medner train soft-labels train.json --fold 0/3 --taggers runs/part0/adapter -o soft0.jsonl
  medner train span train.json --soft-labels soft0.jsonl --layers 8 -o runs/student

Exit code: 0 done; 1 done, but bad records were skipped; 2 wrong input or option; 3 disk or model failed; 130 stopped.
"""


def register(train: typer.Typer) -> None:
    """Adds the command to the group."""
    train.command("soft-labels", help=HELP)(train_soft_labels)


@with_read_options
def train_soft_labels(  # noqa: PLR0913, PLR0917  one parameter an option
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="Completely annotated files, in any format.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The file to write, one JSON line a sentence.")
    ],
    taggers: Annotated[
        list[Path], typer.Option(metavar="ADAPTER", help="A trained span tagger's folder; repeatable, the mean counts.")
    ],
    partial: shared.Partial = None,
    labels: shared.Labels = DEFAULT_LABELS,
    base: shared.Base = None,
    fold: Annotated[
        str | None, typer.Option(metavar="N/K", help="Only part N (from 0) of K of the texts, by their hash.")
    ] = None,
    weight: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, callback=finite, help="Weight of the annotation; the taggers have the rest."),
    ] = 0.5,
    least: Annotated[
        float, typer.Option(min=1e-6, max=1.0, callback=finite, help="Leave out stretches less probable than this.")
    ] = 0.01,
    batch_tokens: Annotated[int, typer.Option(min=1, max=1_048_576, help="Padded tokens in a pass, at most.")] = 4_096,
    *,
    options: ReadOptions,
) -> None:
    given = locals()
    from medner.service.train.orders import SoftLabelOrder
    from medner.training.spans.build import Fold

    given["fold"] = None if fold is None else Fold.parse(fold)
    shared.carry_out_order(shared.order_of(SoftLabelOrder, given), "soft labels")
