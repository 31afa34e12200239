"""Figures 4, 5 and 6 as charts, each with the table of its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medner.evaluation.measures.errors import FALSE_POSITIVES, ErrorClass
from medner.evaluation.measures.significance import Array, Interval
from medner.evaluation.paper.chart import Bar, BarChart, Group, bar_chart
from medner.evaluation.paper.grid import (
    NOTHING,
    Cell,
    Grid,
    difference_cells,
    paper_cells,
    percent_bounds,
    ratio_cell,
    share_cell,
)
from medner.evaluation.paper.published import published
from medner.evaluation.paper.resampling import bootstrap_interval
from medner.evaluation.paper.roles import base_key
from medner.evaluation.paper.score_tables import wording_of
from medner.evaluation.paper.systems import Dataset, System
from medner.evaluation.reports import wording

WITHIN = 2


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart (none where nothing was measured) and the table of its numbers on one data set."""

    grid: Grid
    chart: str | None = None


@dataclass(frozen=True, slots=True)
class _Base:
    """A base model's best zero-shot tagger and its tuned one."""

    name: str
    zero_shot: System | None
    tuned: System | None
    strategies: Mapping[str, str]


def bases_figure(dataset: Dataset) -> Figure:
    """Figure 4: F1 of each base model, zero-shot and tuned; the paper's models follow ours."""
    bases = _bases(dataset)
    if not bases:
        return _unmeasured(dataset)
    known = published().figures[4].rows_on(dataset.labels_name)
    groups = [Group(base.name, (_f1_bar(base.zero_shot), _f1_bar(base.tuned), None)) for base in bases]
    rows = [(*_base_cells(dataset, base), *_papers_f1(dataset, base.name)) for base in bases]
    for row in known.values():
        value = row.values[dataset.labels_name][0]
        groups.append(Group(row.name, (None, None, Bar(value, wording.ratio(value)))))
        if row.key not in {base_key(base.name) for base in bases}:
            rows.append((Cell(row.name), *[NOTHING] * 6, *_papers_f1(dataset, row.key)))
    columns = ("base", "zero-shot", "its F1", "tuned", "its F1", "tuned − zero-shot", "p", "paper, tuned F1")
    series = ("zero-shot", "tuned", "paper, tuned")
    chart = _chart(dataset, 4, series, groups)
    return Figure(Grid(wording_of(dataset), columns, tuple(rows)), chart)


def _bases(dataset: Dataset) -> list[_Base]:
    taggers = [tagger for tagger in dataset.manifest.tagger if tagger.base and tagger.strategy != "sequence"]
    found = []
    for name in dict.fromkeys(base_key(tagger.base) for tagger in taggers):
        here = [tagger for tagger in taggers if base_key(tagger.base) == name]
        # The figure is about the symbol strategy; a base that has none shows what it has.
        tuned = sorted((one for one in here if not one.zero_shot), key=lambda one: one.strategy != "symbol")
        if dataset.roles.main in tuned:
            tuned = [one for one in tuned if one == dataset.roles.main]
        zero_shot = dataset.best(one.name for one in here if one.zero_shot)
        title = here[0].base.rstrip("/").rpartition("/")[2]
        strategies = {one.name: one.strategy for one in here}
        found.append(_Base(title, zero_shot, dataset.systems[tuned[0].name] if tuned else None, strategies))
    return found


def _base_cells(dataset: Dataset, base: _Base) -> tuple[Cell, ...]:
    def of(system: System | None) -> tuple[Cell, Cell]:
        if system is None:
            return Cell("not measured", tone="absent"), NOTHING
        strategy = base.strategies[system.name]
        named = system.name if system.name == strategy else f"{system.name} ({strategy})"
        return Cell(named), ratio_cell(system.f1, system.scored.intervals.f1)

    both = base.zero_shot is not None and base.tuned is not None
    gain = dataset.difference(base.zero_shot, base.tuned) if both and base.zero_shot and base.tuned else None
    return Cell(base.name), *of(base.zero_shot), *of(base.tuned), *difference_cells(gain)


def _papers_f1(dataset: Dataset, base: str) -> tuple[Cell, ...]:
    row = published().figures[4].rows_on(dataset.labels_name).get(base_key(base))
    return paper_cells(None if row is None else row.values[dataset.labels_name], 1)


def _f1_bar(system: System | None) -> Bar | None:
    if system is None or math.isnan(system.f1):
        return None
    bounds = system.scored.intervals.f1
    return Bar(system.f1, wording.ratio(system.f1), bounds.low, bounds.high)


def errors_figure(dataset: Dataset) -> Figure:
    """Figure 5: what share of the main tagger's errors each class has."""
    system = _main(dataset)
    if system is None or not system.errors.total:
        return _unmeasured(dataset)
    kinds = (*FALSE_POSITIVES, ErrorClass.MISSED)
    counts_dk = dataset.mistakes_dk(system, kinds)
    total = system.errors.total
    parts = [(wording.ERROR_NAMES[kind], [at]) for at, kind in enumerate(kinds)]
    parts.append(("all false positives", list(range(len(FALSE_POSITIVES)))))
    known = published().figures[5].rows_on(dataset.labels_name).get("shares")
    papers = known.values[dataset.labels_name] if known is not None else None
    groups, rows = [], []
    for name, columns in parts:
        number = int(counts_dk[:, columns].sum())
        bounds = bootstrap_interval(counts_dk, _share_of(columns), dataset.resampling)
        paper = None if papers is None else sum(papers[at] for at in columns)
        groups.append(Group(name, (_share_bar(number / total, bounds), _share_bar(paper))))
        rows.append((Cell(name), Cell(f"{number}"), share_cell(number, total, bounds), _paper_share(paper)))
    heading = f"{wording_of(dataset)}; {total:,} errors of {system.name}"
    chart = _chart(dataset, 5, (system.name, "paper, GLM4-9B-Chat"), groups)
    return Figure(Grid(heading, ("class", "errors", "share", "paper"), tuple(rows)), chart)


def distances_figure(dataset: Dataset) -> Figure:
    """Figure 6: how far off the boundaries of the main tagger's errors of the class overlap, same type, are."""
    system = _main(dataset)
    if system is None or not system.errors.boundaries.errors:
        return _unmeasured(dataset)
    boundaries = system.errors.boundaries
    bins = wording.bin_distances(boundaries)
    groups, rows = [], []
    for at, (label, number) in enumerate(bins):
        low, high = wording.DISTANCE_BINS[at]
        bounds = _distance_bounds(dataset, system, low, high)
        groups.append(Group(f"{label} off", (_share_bar(number / boundaries.errors, bounds), None)))
        rows.append((Cell(label), Cell(f"{number}"), share_cell(number, boundaries.errors, bounds), NOTHING))
    known = published().figures[6].rows_on(dataset.labels_name).get("within_2")
    paper = None if known is None else known.values[dataset.labels_name][0]
    bounds = _distance_bounds(dataset, system, 1, WITHIN)
    within = boundaries.within(WITHIN)
    groups.append(
        Group(f"within {WITHIN}", (_share_bar(within / boundaries.errors, bounds), _share_bar(paper, "about ")))
    )
    rows.append(
        (
            Cell(f"within {WITHIN}"),
            Cell(f"{within}"),
            share_cell(within, boundaries.errors, bounds),
            _paper_share(paper, "about "),
        )
    )
    heading = f"{wording_of(dataset)}; {boundaries.errors:,} boundary errors of {system.name}"
    chart = _chart(dataset, 6, (system.name, "paper, GLM4-9B-Chat"), groups)
    columns = ("characters off", "errors", "share", "paper (tokens)")
    return Figure(Grid(heading, columns, tuple(rows)), chart)


def _distance_bounds(dataset: Dataset, system: System, low: int, high: int | None) -> Interval:
    row = {id_: at for at, id_ in enumerate(dataset.document_ids)}
    counts_dk = np.zeros((len(row), 2))
    for mistake in system.mistakes:
        if mistake.kind is ErrorClass.OVERLAP_SAME_TYPE:
            distance = mistake.boundary_distance
            counts_dk[row[mistake.document_id]] += (low <= distance <= (high or distance), 1)
    return bootstrap_interval(counts_dk, lambda totals: totals[:, 0] / totals[:, 1], dataset.resampling)


def _share_of(columns: list[int]) -> Callable[[Array], Array]:
    return lambda totals: totals[:, columns].sum(axis=1) / totals.sum(axis=1)


def _share_bar(value: float | None, bounds: Interval | str = "") -> Bar | None:
    if value is None:
        return None
    if isinstance(bounds, str):
        return Bar(value, _papers_share(value, bounds))
    return Bar(value, f"{100 * value:.1f} % {percent_bounds(bounds)}".rstrip(), bounds.low, bounds.high)


def _papers_share(value: float, about: str) -> str:
    """A rough share is shown without a digit it has not."""
    return f"{about}{100 * value:.{0 if about else 1}f} %"


def _paper_share(value: float | None, about: str = "") -> Cell:
    return NOTHING if value is None else Cell(_papers_share(value, about), tone="paper")


def _main(dataset: Dataset) -> System | None:
    return None if dataset.roles.main is None else dataset.systems[dataset.roles.main.name]


def _chart(dataset: Dataset, number: int, series: tuple[str, ...], groups: Sequence[Group]) -> str:
    used = [at for at in range(len(series)) if any(group.bars[at] is not None for group in groups)]
    title = f"Figure {number}: {published().figures[number].title}, {dataset.name}"
    return bar_chart(
        BarChart(
            title,
            "Bars; the table below the chart has the same numbers.",
            tuple(series[at] for at in used),
            tuple(Group(group.label, tuple(group.bars[at] for at in used)) for group in groups),
            tuple(series[at].startswith("paper") for at in used),
            tuple(used),
        )
    )


def _unmeasured(dataset: Dataset) -> Figure:
    return Figure(Grid(f"{dataset.name}: not measured."))
