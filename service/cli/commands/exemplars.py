"""`medner exemplars`: typical entities of a corpus for the judge, built and looked at."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medner.core.choices import DEFAULT_LABELS, DEFAULT_MODEL
from medner.core.errors import UserError
from medner.service.cli.bounds import MOST, MOST_SEED
from medner.service.cli.read_options import with_read_options
from medner.store.corpora.reading.read_options import ReadOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from medner.agents.exemplars.embedding import Embedder
    from medner.agents.exemplars.folder import ExemplarCard, ExemplarFolder
    from medner.core.records import Exemplar
    from medner.training.exemplars.build import Embedded

LINE_EVERY_S = 10.0

exemplars_app = typer.Typer(
    no_args_is_help=True,
    help="Build and show exemplars: typical entities of each type, for the judge's prompt.\n\n"
    "    medner exemplars build train.json --exclude test.json -o exemplars/    # cluster a corpus\n\n"
    "    medner exemplars show exemplars/ --type dis\n\n"
    "    medner annotate notes/ --judge select --exemplars exemplars/\n\n"
    "A folder of exemplars holds text of its corpus: do not pass it on.",
)

_Folder = Annotated[Path, typer.Argument(metavar="FOLDER", readable=False, help="The folder that `build` wrote.")]
_Embedder = Annotated[
    Path | None,
    typer.Option("--embedder", metavar="FOLDER", help="A sentence-transformers model instead of the base model."),
]


def register(app: typer.Typer) -> None:
    """Adds `medner exemplars`."""
    app.add_typer(exemplars_app, name="exemplars")


@exemplars_app.command()
@with_read_options
def build(  # noqa: PLR0913  one parameter an option
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILES", readable=False, help="Annotated files: CMeEE, CCKS2019, medner's own JSONL ..."
        ),
    ],
    *,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="A new folder for the result.")],
    labels: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Label set: a name or a .toml file.")
    ] = DEFAULT_LABELS,
    base: Annotated[
        str, typer.Option(metavar="NAME|FOLDER", help="Base model whose hidden states are the vectors.")
    ] = DEFAULT_MODEL,
    embedder: _Embedder = None,
    exclude: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A file whose sentences are left out, for example a test set."),
    ] = None,
    each: Annotated[int, typer.Option(min=1, max=1_000, help="Exemplars of each type.")] = 5,
    clusters: Annotated[int, typer.Option(min=1, max=10_000, help="Clusters of each type.")] = 5,
    max_per_type: Annotated[
        int,
        typer.Option(
            "--max-per-type",
            min=1,
            max=MOST,
            help="Embed at most this many entities of a type, a sample drawn by the seed.",
        ),
    ] = 2_000,
    options: ReadOptions,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Seed of the sample and of K-Means.")] = 7,
) -> None:
    """Embed the entities of annotated files, cluster each type, and keep the entities nearest to the centres.

    The folder has the exemplars, all embedded entities, their FAISS index and a card.

    The same files and seed give the same folder. It holds text of the corpus: do not pass it on.

    Example: medner exemplars build train.json --exclude test.json -o exemplars/

    Exit code: 0 done; 1 done, but bad records were skipped; 2 wrong input or option; 3 disk or model failed.
    """
    from medner.core.labels import load_label_set
    from medner.training.exemplars.build import Clustering, ExemplarBuild, ExemplarCorpus
    from medner.training.exemplars.mentions import Selection

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: is there already; name a new or an empty folder")
    selection = Selection(load_label_set(labels), max_per_type, seed, options=options)
    made = ExemplarBuild(ExemplarCorpus(tuple(files), tuple(exclude or ())), selection, Clustering(clusters, each))
    mentions = made.mentions
    typer.echo(
        f"{sum(mentions.distinct.values()):,} distinct entities, of which {len(mentions.chosen):,} are embedded; "
        f"{mentions.excluded:,} sentences excluded, {mentions.cut:,} entities across sentence ends left out",
        err=True,
    )
    out.parent.mkdir(parents=True, exist_ok=True)

    async def run() -> ExemplarCard:
        async with _embedding(base, embedder) as maker:
            return await made.run(maker, out, _Reporter())

    card = asyncio.run(run())
    for code in card.types:
        typer.echo(
            f"{code}\t{card.distinct[code]} entities\t{card.embedded[code]} embedded\t{card.exemplars[code]} exemplars"
        )
    typer.echo(f"written: {out}", err=True)
    typer.echo(f"{out} holds text of {', '.join(path.name for path in files)}: do not pass it on", err=True)


@exemplars_app.command()
def show(  # noqa: PLR0913  one parameter an option
    folder: _Folder,
    *,
    type_: Annotated[str | None, typer.Option("--type", metavar="CODE", help="Only this type.")] = None,
    near: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The entities nearest to this text instead of the clusters' exemplars."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many nearest entities a type.")] = 5,
    base: Annotated[
        str | None,
        typer.Option(metavar="NAME|FOLDER", help="The base model of the index, if it is elsewhere now."),
    ] = None,
    embedder: _Embedder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")] = False,
) -> None:
    """Show the exemplars of a folder, or the entities nearest to a text.

    Example: medner exemplars show exemplars/ --type sym --near 咳嗽咳痰

    Exit code: 0 done; 2 this is no folder of exemplars, or there is no such type; 3 disk or model failed.
    """
    from medner.agents.exemplars.folder import ExemplarFolder
    from medner.core.characters import is_blank

    opened = ExemplarFolder.open(folder)
    codes = opened.card.types if type_ is None else (_known(type_, opened.card),)
    if near is None:
        found = [row.exemplar() for row in opened.clustered() if row.label in codes]
    else:
        if is_blank(near):
            raise UserError("--near: the text is empty")
        found = asyncio.run(_nearest(opened, near, codes, count, (base or opened.card.base, embedder)))
    if as_json:
        typer.echo(json.dumps([_record(one) for one in found], ensure_ascii=False))
        return
    for one in found:
        typer.echo(f"{one.label}\t{one.text}\t{one.distance or 0:.3f}\t{one.context}")


def _known(code: str, card: ExemplarCard) -> str:
    if code not in card.types:
        raise UserError(f"--type: no type {code!r} in label set {card.labels!r}; there are {', '.join(card.types)}")
    return code


async def _nearest(
    folder: ExemplarFolder, text: str, codes: Sequence[str], count: int, models: tuple[str, Path | None]
) -> list[Exemplar]:
    from medner.agents.exemplars import EntityIndex
    from medner.agents.exemplars.folder import check_origin
    from medner.core.records import Span

    index = EntityIndex.read(folder)
    async with _embedding(*models) as maker:
        check_origin(folder.card, maker.origin, where=folder.path)
        vector_W = (await maker.embed(text, (Span(0, len(text)),)))[0]
    return [one for code in codes for one in index.nearest(vector_W, code, count)]


@asynccontextmanager
async def _embedding(base: str, embedder: Path | None) -> AsyncIterator[Embedder]:
    """The model that makes vectors; the local one's engine is closed at the end."""
    from medner.agents.exemplars.embedding import EncoderEmbedder, origin_of
    from medner.agents.exemplars.sentence_transformer import SentenceTransformerEmbedder
    from medner.service.build.engines import EngineOrder, local_engine
    from medner.service.build.exemplars import encoder_of
    from medner.store.models import base_model_folder

    if embedder is not None:
        typer.echo(f"loading {embedder}", err=True)
        yield SentenceTransformerEmbedder.load(embedder)
        return
    folder = base_model_folder(base)
    origin = origin_of("llm", folder.resolve().name, folder)
    typer.echo(f"loading {base}", err=True)
    engine = local_engine(EngineOrder(folder, {}, max_rows=16))
    try:
        yield EncoderEmbedder(encoder_of(engine), origin)
    finally:
        await engine.close()


def _record(one: Exemplar) -> dict[str, object]:
    return {"label": one.label, "text": one.text, "context": one.context, "distance": one.distance}


class _Reporter:
    """Says every few seconds, and at the end, how far the embedding is."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, now: Embedded) -> None:
        if time.monotonic() - self._last < LINE_EVERY_S and now.done < now.of:
            return
        self._last = time.monotonic()
        rate = now.done / max(now.seconds, 1e-9)
        left = (now.of - now.done) / max(rate, 1e-9)
        typer.echo(
            f"{now.done:,} of {now.of:,} entities, {rate:.1f} entities/s, {_duration(left)} left",
            err=True,
        )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
