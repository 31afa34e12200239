"""`medner train judge`: tunes a judge that gives every candidate of a conflict a probability."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from medner.core.choices import DEFAULT_LABELS, DEFAULT_MODEL
from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.service.cli.bounds import MOST_SEED, YEAR_HOURS, finite
from medner.service.cli.exit_codes import ReportedExit
from medner.service.cli.options import with_read_options
from medner.service.cli.reporting import Reporter, say
from medner.store.corpora.reading.read_options import ReadOptions

if TYPE_CHECKING:
    from medner.training.judges.train import TrainedJudgeFiles

HELP = """Tune a judge on conflicts whose truth is known: it gives each candidate a probability.

With --scorer classifier from one pass over the sentence, the conflict's candidates and this candidate; with --scorer \
span from one pass over the sentence, as a span tagger does. The latter learns more in the same time.

It learns from gold files with several taggers' answers on them (--said, the output of `medner annotate`). The \
taggers must not be trained on these texts: train them on one part of your data and annotate the other, then the \
reverse (out-of-fold). It also learns from files with gold and all answers side by side (--side-by-side), and from \
people's decisions (--decisions, from `medner traces export --what decisions`).

One text in five is held back: there the model's score and a linear layer over the votes are weighed against one \
another and the threshold is chosen.

Stops at the end of the data or of the time, whichever is first. Killed or stopped (Ctrl-C), the same command goes on \
where it was.

Exit code: 0 done; 2 wrong input or option; 3 disk or model failed; 130 stopped.

\b
Examples:
  medner annotate part-b.json --format cmeee -o said.jsonl        # by taggers trained on part-a.json
  medner train judge part-b.json --said said.jsonl --exclude test.json -o runs/judge
  medner annotate notes/ --judge trained:runs/judge/adapter
"""


def register(train: typer.Typer) -> None:
    """Adds the command to `medner train`."""
    train.command("judge", help=HELP)(train_judge)


@with_read_options
def train_judge(  # noqa: PLR0913, PLR0917  one parameter an option
    context: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(metavar="[GOLD]...", help="Gold files, for --said.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Run folder: judge, card, loss curve, checkpoint.")] = Path(
        "runs/judge"
    ),
    said: Annotated[list[Path] | None, typer.Option(help="Several taggers' answers on the gold texts.")] = None,
    side_by_side: Annotated[
        list[Path] | None, typer.Option(help="A file of lines with text, gold and each system's answers.")
    ] = None,
    decisions: Annotated[list[Path] | None, typer.Option(help="People's decisions.")] = None,
    exclude: Annotated[list[Path] | None, typer.Option(help="A file whose texts must not be learnt from.")] = None,
    base: Annotated[str, typer.Option(help="Base model: a name or a folder.")] = DEFAULT_MODEL,
    labels: Annotated[str, typer.Option(help="Label set: a name or a .toml file.")] = DEFAULT_LABELS,
    start: Annotated[
        Path | None, typer.Option(help="Go on from this adapter: a filter's or a tagger's, which know the types.")
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            help="What scores: classifier (a pass a candidate) or span (one pass a sentence); by default span where "
            "--start is a span tagger's."
        ),
    ] = None,
    two_way: Annotated[
        bool | None,
        typer.Option("--two-way/--causal", help="Whether the text before a candidate looks both ways (classifier)."),
    ] = None,
    epochs: Annotated[
        float, typer.Option(min=0.001, max=10_000, callback=finite, help="How often to go over the conflicts.")
    ] = 2.0,
    hours: Annotated[
        float, typer.Option(min=0.0, max=YEAR_HOURS, callback=finite, help="Time limit; it ends with a usable judge.")
    ] = 1.0,
    learning_rate: Annotated[
        float, typer.Option(min=1e-9, max=1.0, callback=finite, help="Highest learning rate.")
    ] = 4e-4,
    batch_tokens: Annotated[int, typer.Option(min=64, max=1_048_576, help="Tokens a step.")] = 512,
    rank: Annotated[int, typer.Option(min=1, max=4_096, help="Rank of the adapter.")] = 16,
    first_layer: Annotated[int, typer.Option(min=0, max=1_000, help="The first layer that is trained.")] = 8,
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="Seed of the order of the data and of the weights.")
    ] = 7,
    data_note: Annotated[str, typer.Option(help="What the card says of the data's licence.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Begin although there seems to be too little memory.")] = False,
    *,
    options: ReadOptions,
) -> None:
    from medner.agents.taggers.spans.settings import SETTINGS
    from medner.core.stop_signal import stop_asked
    from medner.service.train.judge_data import JudgeSources, judged_cases
    from medner.store.models import base_model_folder, base_model_name
    from medner.training.filters.train import TrainingCallbacks, TrainingOrder
    from medner.training.judges.train import ScorerKind
    from medner.training.judges.train import train_judge as train
    from medner.training.loop.settings import TaggerTraining

    sources = JudgeSources(
        tuple(files or ()),
        tuple(said or ()),
        tuple(side_by_side or ()),
        tuple(decisions or ()),
        tuple(exclude or ()),
        options,
    )
    if bool(sources.gold) != bool(sources.said):
        raise UserError("gold files and --said go together: gold, and what the taggers said about the same texts")
    label_set = load_label_set(labels)
    cases = judged_cases(sources, label_set)
    right = sum(sum(one.truth) for one in cases)
    say(f"{len(cases):,} conflicts with {sum(len(one.truth) for one in cases):,} candidates, {right:,} of them right")
    settings = TaggerTraining(
        rank=rank,
        alpha=2 * rank,
        first_layer=first_layer,
        learning_rate=learning_rate,
        batch_tokens=batch_tokens,
        batches_per_step=1,
        epochs=epochs,
        time_limit_s=hours * 3_600,
        seed=seed,
    )
    from_spans = start is not None and (start / SETTINGS).is_file()
    chosen = scorer or ("span" if from_spans else "classifier")
    if chosen not in get_args(ScorerKind):
        raise UserError(f"--scorer: there is no scorer {chosen!r}; there are classifier and span")
    if two_way is None:
        two_way = from_spans or chosen == "span"
    folder = base_model_folder(base)
    order = TrainingOrder(folder, out, label_set, settings, start, force, two_way)
    with stop_asked(lambda: say("stopping after this step; once more (Ctrl-C) stops at once")) as stop:
        trained = train(
            order, cases, TrainingCallbacks(Reporter("candidates"), stop), scorer=cast("ScorerKind", chosen)
        )
    if trained is None:
        say(f"stopped; the same command goes on from {out}")
        raise typer.Exit(ReportedExit(130))
    facts: dict[str, object] = {
        "base": base_model_name(folder),
        "labels": label_set.name,
        "scorer": chosen,
        "two_way_from": first_layer if two_way else None,
        "seed": seed,
        "data_note": data_note,
    }
    for line in _write_card(context, trained, sources.said + sources.side_by_side + sources.decisions, facts):
        say(line)
    typer.echo(f"judge: {trained.folder}")


def _write_card(
    context: typer.Context, trained: TrainedJudgeFiles, files: tuple[Path, ...], facts: dict[str, object]
) -> list[str]:
    """Writes the card into the judge's folder; gives how the judge did, in words."""
    from medner.core.files.atomic import replacing_file
    from medner.core.files.hashing import sha256_of
    from medner.core.files.names import CARD
    from medner.service.cli.train.tagger import shown_command
    from medner.service.train.cards import licence_note
    from medner.training.taggers.data import card_text

    one = trained.measured
    scores = [
        f"held back: {one.cases} conflicts with {one.candidates} candidates; sentences with {one.gold} gold entities",
        f"F1 there, agreed entities included: votes {one.f1_votes:.4f}, model {one.f1_model:.4f}, both {one.f1:.4f}, "
        f"a judge without error {one.f1_oracle:.4f} (threshold and weights were chosen on the same conflicts)",
    ]
    base, note = str(facts.pop("base")), str(facts.pop("data_note"))
    fields = {
        "name": "trained-judge",
        "kind": "llm-judge",
        "base": base,
        **facts,
        "threshold": one.threshold,
        "temperature": 1.0,
        "data": [f"{path.name} sha256:{sha256_of(path)}" for path in files],
        "samples_seen": trained.samples,
        "seconds": round(trained.seconds),
        "votes_penalty": trained.penalty,
        "command": shown_command(context),
        "licence_note": licence_note(base, note),
        "scores": scores,
    }
    with replacing_file(trained.folder / CARD) as out:
        out.write(card_text({key: value for key, value in fields.items() if value not in ("", [], None)}))
    return scores
