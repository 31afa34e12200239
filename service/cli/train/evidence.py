"""`medner train evidence` and `medner train lexicon`: what a corpus knows of strings, for the judge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medner.core.choices import DEFAULT_LABELS
from medner.service.cli.read_options import with_read_options
from medner.service.cli.train import shared
from medner.store.corpora.reading.read_options import ReadOptions

HELP = """Fit an evidence judge: it weighs the span taggers' scores with how often the very string occurs as what.

It is fitted in a minute. It needs no model of its own, but may have one: with --reader, a span tagger that is larger \
than the others reads each sentence that has a conflict. It learns from gold files and what span taggers think of \
them (--soft-labels). These taggers must not have learnt the texts: train one for each part of the data with --fold, \
and label with it the part that it left out.

The folder holds the trees (evidence.json), the lexicon (lexicon.npz: counts by salted hash, no text) and a card. \
Candidates that all taggers gave, and those that none gave, are judged where the configuration has [conflicts].

\b
Examples:
  medner train span train.json --fold 0/3 -o runs/part0           # the same for 1/3 and 2/3
  medner train soft-labels train.json --fold 0/3 --taggers runs/part0/adapter --weight 0 --least 0.02 -o soft0.jsonl
  medner train evidence train.json --soft-labels soft0.jsonl --soft-labels soft1.jsonl --soft-labels soft2.jsonl \
-o runs/evidence
  medner annotate notes/ --judge evidence:runs/evidence

Exit code: 0 done; 1 done, but bad records were skipped; 2 wrong input or option; 3 the disk failed.
"""
LEXICON_HELP = """Count the strings of annotated files for a lexicon: how often each occurs, and as which type.

An evidence judge then knows your corpus: set lexicon = "lexicon.npz" in [judge] beside kind = "evidence". The file \
holds salted hashes and counts, no text; who guesses a string can still ask whether it is in it.

\b
Examples:
  medner train lexicon train.json --exclude test.json -o lexicon.npz

Exit code: 0 done; 1 done, but bad records were skipped; 2 wrong input or option; 3 the disk failed.
"""
Gold = Annotated[list[Path], typer.Argument(metavar="FILES", help="Completely annotated files, in any format.")]


def register(train: typer.Typer) -> None:
    """Adds the commands to the group."""
    train.command("evidence", help=HELP)(train_evidence)
    train.command("lexicon", help=LEXICON_HELP)(train_lexicon)


@with_read_options
def train_evidence(  # noqa: PLR0913, PLR0917  one parameter an option
    context: typer.Context,
    files: Gold,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="The folder to write.")],
    soft_labels: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="What span taggers think of texts they did not learn; repeatable."),
    ],
    reader: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="A span tagger, on any base model, that reads for the judge."),
    ] = None,
    reader_labels: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="As --soft-labels, by such taggers as --reader; repeatable."),
    ] = None,
    partial: shared.Partial = None,
    exclude: shared.Exclude = None,
    labels: shared.Labels = DEFAULT_LABELS,
    name: Annotated[str, typer.Option(help="The judge's name in verdicts.")] = "evidence",
    data_note: shared.DataNote = "",
    *,
    options: ReadOptions,
) -> None:
    given = locals()
    from medner.service.train.orders import EvidenceOrder

    given["command"] = shared.shown_command(context)
    shared.carry_out_order(shared.order_of(EvidenceOrder, given), "judge")


@with_read_options
def train_lexicon(  # noqa: PLR0913  one parameter an option
    context: typer.Context,
    files: Gold,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The file to write.")],
    partial: shared.Partial = None,
    exclude: shared.Exclude = None,
    labels: shared.Labels = DEFAULT_LABELS,
    *,
    options: ReadOptions,
) -> None:
    given = locals()
    from medner.service.train.orders import LexiconOrder

    shared.carry_out_order(shared.order_of(LexiconOrder, given), "lexicon")
