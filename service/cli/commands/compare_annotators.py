"""`medner compare-annotators`: how far annotators agree, where they do not, and gold that all taggers contradict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medner.core.errors import UserError
from medner.service.cli.bounds import MOST
from medner.service.cli.commands import evaluate as scoring
from medner.service.cli.read_options import with_read_options
from medner.service.inputs.overwriting import refuse_overwriting
from medner.store.corpora import ReadOptions

if TYPE_CHECKING:
    from medner.core.labels import LabelSet
    from medner.evaluation.measures.annotated_texts import AnnotatedTexts
    from medner.service.inputs.annotators import AnnotatorInput

HELP = """Compare what several annotators made of the same texts: strict F1 and Cohen's kappa of each pair.

An INPUT is one annotator's, named by the file or folder, or as NAME=PATH. A Label Studio export holds all annotators \
of its tasks, and so does the folder `annotation` of an INCEpTION project export. Documents are matched by id, else by \
their text.

--disagreements writes a file for the review queue, and a configuration beside it: submit the two, and reviewers \
decide one disagreement after the other. --predictions lists gold that all taggers contradict.

\b
Examples:
  medner compare-annotators label-studio.json --labels cmeee-v2
  medner compare-annotators li=doccano-1.jsonl wang=doccano-2.jsonl
  medner compare-annotators brat/li brat/wang --disagreements review.jsonl --labels cmeee-v2
  medner submit review.jsonl --config review.toml
  medner compare-annotators gold.json --predictions result.jsonl

Exit code: 0 done; 1 done, but bad records were skipped; 2 wrong input or option; 3 the disk failed.
"""


def register(app: typer.Typer) -> None:
    """Adds the subcommand."""
    app.command("compare-annotators", help=HELP)(compare_annotators)


@with_read_options
def compare_annotators(  # noqa: PLR0913  the options of a command are its parameters
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="Files or folders of annotations, each as PATH or NAME=PATH.")
    ],
    *,
    labels: scoring.Labels = None,
    format_: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="The format of the inputs; detected by default.")
    ] = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(
            "--predictions",
            metavar="FILE",
            help="A result of medner annotate on these texts, or other predictions: list gold that all its taggers "
            "contradict. May be given several times.",
        ),
    ] = None,
    disagreements: Annotated[
        Path | None,
        typer.Option(
            "--disagreements",
            metavar="FILE",
            help="Write the disagreements for the review queue (.jsonl), and a configuration beside it (.toml). Needs "
            "--labels.",
        ),
    ] = None,
    options: ReadOptions,
    json_: scoring.JsonPath = None,
    seed: scoring.Seed = 0,
    resamples: scoring.Resamples = 2000,
    by_type: scoring.ByType = True,
    show: Annotated[int, typer.Option(min=0, max=MOST, metavar="N", help="How many places of each list to show.")] = 20,
) -> None:
    """Compares annotators and gives out the report."""
    from medner.evaluation.measures.annotated_texts import gathered
    from medner.evaluation.measures.annotators import pair_agreements
    from medner.evaluation.measures.contradictions import contradicted
    from medner.evaluation.reports.annotators import AnnotatorReport, annotators_json, remarks
    from medner.evaluation.reports.annotators_text import annotators_text
    from medner.service.inputs.annotators import AnnotatorInput, read_annotators, tagger_answers

    sources = [AnnotatorInput.of(one) for one in inputs]
    configuration = None if disagreements is None else disagreements.with_suffix(".toml")
    _check(sources, predictions or [], {**scoring.reports(json_, None), "--disagreements": disagreements})
    if disagreements is not None and (labels is None or disagreements == configuration):
        raise UserError("--disagreements FILE.jsonl needs --labels: the review queue names types by a label set")
    setting = scoring.make_setting(labels, seed=seed, resamples=resamples, commit="", configuration="")
    annotators = read_annotators(sources, format=format_, labels=setting.labels, options=options)
    texts = gathered(annotators.documents.items())
    if not predictions and not texts.shared:
        if len(texts.annotators) < 2:
            raise UserError(
                f"there is one annotator, {', '.join(texts.annotators) or 'of no document'}; name the annotations of a "
                "second one as well, or --predictions FILE"
            )
        raise UserError(
            f"no document is of two annotators; there are {', '.join(texts.annotators)}, and their documents have "
            "neither ids nor texts in common"
        )
    answers = tagger_answers(predictions or [], texts.texts, labels=setting.labels, options=options)
    codes = setting.labels.codes if setting.labels is not None else ()
    report = AnnotatorReport(
        texts,
        pair_agreements(texts, setting.resampling, codes),
        setting,
        answers.taggers,
        tuple(contradicted(texts.texts, answers.by_text)) if predictions else None,
    )
    if disagreements is not None and configuration is not None and setting.labels is not None:
        _write_disagreements(disagreements, configuration, texts, setting.labels, str(labels), options)
    scoring.give_out(
        json_, annotators_json(report), annotators_text(report, show=show, by_type=by_type), remarks(report)
    )
    if json_ != "-":
        for remark in remarks(report):
            typer.echo(f"medner: {remark}", err=True)


def _check(sources: list[AnnotatorInput], predictions: list[Path], outputs: dict[str, Path | None]) -> None:
    refuse_overwriting(outputs, [*(one.path for one in sources), *predictions])


def _write_disagreements(
    path: Path, configuration: Path, texts: AnnotatedTexts, labels: LabelSet, named: str, options: ReadOptions
) -> None:
    from medner.core.records import Document
    from medner.service.review.disagreements import (
        Disagreements,
        annotated_documents,
        write_configuration,
        write_disagreements,
    )

    counts = Disagreements()
    shared = ((Document(one.id, one.text), one.entities) for one in texts.shared)
    write_disagreements(path, annotated_documents(shared, labels, counts, join_lines=options.join_lines))
    names = dict.fromkeys(name for text in texts.shared for name in text.entities)
    label_set = str(Path(named).absolute()) if Path(named).is_file() else named
    write_configuration(configuration, path, list(names), label_set, join_lines=options.join_lines)
    typer.echo(
        f"medner: wrote {path} with {counts.conflicts:,} disagreements in {counts.documents:,} documents; "
        f"medner submit {path} --config {configuration} takes them to the review queue",
        err=True,
    )
    if counts.across:
        typer.echo(f"medner: {counts.across:,} entities across the end of a sentence are not in that file", err=True)
