"""`medner export`: an adapter merged into its base, as a model that a server loads by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medner.service.cli.bounds import MOST

HELP = """Merge an adapter into its base model, and check that the merged model gives the same answers.

Span taggers of one base become one model, which vLLM serves with medner's plugin: name all of them. An evidence \
judge that reads (medner train evidence --reader) is one of them, usually on a base of its own. A tagger that writes \
or an llm-causal filter becomes a model that writes; on a server that serves nothing else it is faster than an \
adapter. An llm-cls filter becomes a model for sequence classification, which vLLM serves with its pooling runner \
(/classify). Before medner keeps the result, it reads it back from disk and compares its probabilities with those of \
base and adapter on annotated sentences: hand-written ones that ship, or those of --check.

You can serve adapters without an export: medner serve-models gives each that writes a model name on one base, and \
merges those of span taggers when it starts.

\b
Examples:
  medner export runs/symbol/adapter -o exports/symbol
  medner serve-models --model ./exports/symbol --taggers symbol:brief
  medner export runs/span-a/adapter runs/span-b/adapter -o exports/spans
  medner serve-models --taggers ./runs/span-a/adapter,./runs/span-b/adapter --spans exports/spans
  medner export runs/judge -o exports/judge
  medner serve-models --judge evidence:./runs/judge --spans exports/spans --spans exports/judge
  medner export runs/filter/adapter -o exports/llm-cls --check held-out.json

Exit code: 0 done; 2 wrong input or option; 3 the merged model differs, or the disk failed.
"""


def register(app: typer.Typer) -> None:
    """Adds the subcommand."""
    app.command("export", help=HELP)(export)


def export(
    adapters: Annotated[
        list[Path],
        typer.Argument(
            metavar="ADAPTER...",
            help="An adapter's folder, with its card; of span taggers as many as share a server.",
            show_default=False,
        ),
    ],
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="The folder to write; it must be new or empty.")
    ],
    base: Annotated[
        str | None, typer.Option("--base", metavar="NAME|FOLDER", help="Base model; by default the one on the card.")
    ] = None,
    dtype: Annotated[
        str, typer.Option("--dtype", metavar="TYPE", help="Number format: bfloat16, float16 or float32.")
    ] = "bfloat16",
    check: Annotated[
        Path | None, typer.Option("--check", metavar="FILE", help="Compare on the sentences of this annotated file.")
    ] = None,
    sentences: Annotated[
        int, typer.Option("--sentences", min=1, max=MOST, help="Compare at most this many sentences.")
    ] = 20,
) -> None:
    from medner.core.errors import UserError
    from medner.service.train.export import export_adapter
    from medner.service.train.export_spans import are_span_taggers, export_span_taggers

    formats = ("bfloat16", "float16", "float32")
    if dtype not in formats:
        raise UserError(f"--dtype: there is no {dtype!r}; there are {', '.join(formats)}")
    if are_span_taggers(adapters):
        done = export_span_taggers(adapters, out, base=base, dtype=dtype, check=check, most=sentences)
    else:
        done = export_adapter(adapters[0], out, base=base, dtype=dtype, check=check, most=sentences)
    typer.echo(done.line(), err=True)
    typer.echo(f"model: {done.folder}")
