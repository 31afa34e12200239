"""The whole report on a paper's tables and figures, as records; `page` and `markdown` put it into form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medner.core.errors import BadInputError
from medner.evaluation.measures.significance import Resampling
from medner.evaluation.paper.count_tables import cost_grid, filter_errors_grid, nested_errors_grid
from medner.evaluation.paper.figures import Figure, bases_figure, distances_figure, errors_figure
from medner.evaluation.paper.grid import Cell, Grid, Section, ratio_cell
from medner.evaluation.paper.manifest import load_manifest
from medner.evaluation.paper.published import published
from medner.evaluation.paper.score_tables import CONTENTS, score_grid, wording_of
from medner.evaluation.paper.systems import Dataset, measure
from medner.evaluation.reports import wording
from medner.evaluation.reports.report import Setting
from medner.store.corpora import NO_OPTIONS, ReadOptions

COUNT_TABLES: dict[int, Callable[[Dataset], Grid]] = {4: cost_grid, 6: filter_errors_grid, 12: nested_errors_grid}
TABLES = tuple(sorted((*CONTENTS, *COUNT_TABLES)))
FIGURES: dict[int, Callable[[Dataset], Figure]] = {4: bases_figure, 5: errors_figure, 6: distances_figure}

_TABLE_NOTES = {
    3: "Tuned taggers on one base model. The difference is against the main tagger.",
    4: "The paper measured on one NVIDIA L40, F1 on CMeEE-V2; how its sentences shared the GPU it does not say, so "
    "seconds do not compare. Tokens are those of an answer, passes the forward passes it took, of one sentence.",
    5: "The main tagger, and what each filter leaves of its predictions.",
    6: "Counts of the main tagger's false positives, and the change by each filter; fewer is better. Brackets of the "
    "first row are intervals of counts, of the others those of the change.",
    7: "The members, votes of them, and what judges made of their conflicts. The paper's members are filtered taggers. "
    "A hard vote keeps what more than half of the members say (of two: what both say), a soft vote goes by their "
    "probabilities, union keeps everything, unanimous what all say. The oracle decides every dispute by the gold: no "
    "method, but the bound of all that only choose.",
    8: "The paper's 直接推理 is the prompt `direct`, its 分步推理 the prompt `thinking` (medner's template "
    "step-by-step).",
    9: "The paper's other methods; ours without tuning, without an ensemble (where the manifest names none, the best "
    "single system on these documents), and whole. * in the paper's rows: quoted there from the original publication.",
    11: "Taggers other than the main one, without and with the paper's filter.",
    12: "Counts of false positives at nested gold entities; the whole method against the main tagger. Brackets of the "
    "first row are intervals of counts, of the other those of the change.",
}
_FIGURE_NOTES = {
    4: "The numbers of the paper's tuned models are those of its tables 3 and 11; its text has none of the other bars.",
    5: "Of all errors of the main tagger. The paper's 57.1 % of false positives are of §4.3; the shares of the four "
    "classes follow from it and from table 6.",
    6: "Start and end together, of the errors of the class “overlap, same type”. The paper says “about 50 %” within "
    "two tokens; here characters are counted.",
}


@dataclass(frozen=True, slots=True)
class PaperReport:
    """Everything a page shows. ``facts`` are (name, value) of the data sets, ``remarks`` what a reader must know."""

    source: str
    method: str
    facts: tuple[tuple[str, str], ...]
    systems: tuple[Grid, ...]
    sections: tuple[Section, ...]
    remarks: tuple[str, ...]


def paper_report(manifests: Sequence[Path], resampling: Resampling, options: ReadOptions = NO_OPTIONS) -> PaperReport:
    """The report on the manifests' files. BadInputError and UserError where a manifest or a file is not as said."""
    datasets: list[Dataset] = []
    for path in manifests:
        dataset = measure(load_manifest(path), path, resampling, options)
        if dataset.name in [other.name for other in datasets]:
            raise BadInputError(
                f"another manifest reports on {dataset.name!r} too; give each a `dataset` name of its own",
                path=path,
                key="dataset",
            )
        datasets.append(dataset)
    return PaperReport(
        published().source,
        wording.method_line(Setting(resampling)),
        tuple(fact for dataset in datasets for fact in _facts(dataset)),
        tuple(_systems_grid(dataset) for dataset in datasets),
        (*_tables(datasets), *_figures(datasets)),
        tuple(remark for dataset in datasets for remark in _remarks(dataset)),
    )


def _tables(datasets: Sequence[Dataset]) -> list[Section]:
    sections = []
    for number in TABLES:
        grids = [COUNT_TABLES[number](one) if number in COUNT_TABLES else score_grid(one, number) for one in datasets]
        title = f"Table {number}: {published().tables[number].title}"
        sections.append(Section(f"table-{number}", title, _TABLE_NOTES[number], tuple(grids)))
    return sections


def _figures(datasets: Sequence[Dataset]) -> list[Section]:
    sections = []
    for number, make in FIGURES.items():
        made = [make(dataset) for dataset in datasets]
        title = f"Figure {number}: {published().figures[number].title}"
        charts = tuple(figure.chart or "" for figure in made)
        grids = tuple(figure.grid for figure in made)
        sections.append(Section(f"figure-{number}", title, _FIGURE_NOTES[number], grids, charts))
    return sections


def _facts(dataset: Dataset) -> list[tuple[str, str]]:
    manifest = dataset.manifest
    said = [(f"{dataset.name}, gold", wording.gold_line(dataset.gold))]
    said += [
        (f"{dataset.name}, {name}", value)
        for name, value in (("commit", manifest.commit), ("configuration", manifest.configuration))
        if value
    ]
    return said


def _systems_grid(dataset: Dataset) -> Grid:
    manifest, roles = dataset.manifest, dataset.roles
    described = [
        *(
            (one.name, f"{one.strategy}, {one.base or 'base not named'}, {_tuned(one.zero_shot)}")
            for one in manifest.tagger
        ),
        *((one.system, f"filter {one.kind} of {one.of}") for one in manifest.filter),
        *((one.system, one.kind if one.file else f"{one.kind} of the members") for one in manifest.ensemble),
        *((one.name, f"judge {one.base}, {one.mode}, prompt {one.prompt}") for one in manifest.judge),
    ]
    single = dataset.single and dataset.single.name
    parts = {"main": roles.main and roles.main.name, "best single": single, "whole method": roles.final}
    rows = []
    for name, what in described:
        plays = [part for part, chosen in parts.items() if chosen == name]
        plays += ["member"] if name in roles.members else []
        system = dataset.systems[name]
        counts, bounds = system.scored.counts, system.scored.intervals.f1
        numbers = (Cell(f"{counts.predicted:,}"), Cell(f"{counts.tp:,}"), ratio_cell(counts.f1, bounds))
        rows.append((Cell(name), Cell(what), Cell(", ".join(plays)), *numbers))
    return Grid(wording_of(dataset), ("system", "what", "part", "predicted", "right", "F1"), tuple(rows), left=3)


def _tuned(zero_shot: bool) -> str:
    return "zero-shot" if zero_shot else "tuned"


def _remarks(dataset: Dataset) -> list[str]:
    said = []
    for system in dataset.systems.values():
        if system.missing:
            name = f"{dataset.name}, {system.name}"
            said.append(wording.missing_remark(name, system.missing, dataset.gold.documents))
        if system.failed:
            said.append(
                f"{dataset.name}, {system.name}: {wording.counted(system.failed, 'sentence')} without an answer; their "
                "entities count as missed (the same medner annotate tries them again)"
            )
        if system.by_text:
            matched = wording.counted(system.by_text, "document")
            said.append(f"{dataset.name}, {system.name}: {matched} matched to gold by their text")
    if dataset.gold.documents < 30:
        n = wording.counted(dataset.gold.documents, "document")
        said.append(f"{dataset.name}: n = {n}; intervals from fewer than 30 are rough")
    return said
