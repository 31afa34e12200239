"""The tables that are not scores: cost of the strategies (4), error counts before and after (6, 12)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from medner.evaluation.measures.errors import FALSE_POSITIVES, NESTED_CLASSES, ErrorClass
from medner.evaluation.measures.significance import Resampling
from medner.evaluation.paper.grid import (
    NOT_MEASURED,
    NOTHING,
    Cell,
    Grid,
    paper_cells,
    ratio_cell,
    tone_of,
)
from medner.evaluation.paper.manifest import TaggerEntry
from medner.evaluation.paper.published import published
from medner.evaluation.paper.resampling import bootstrap_interval
from medner.evaluation.paper.score_tables import ScoredSystem, laid_out, same_base, wording_of
from medner.evaluation.paper.systems import Dataset, System
from medner.evaluation.reports import wording

_COST_COLUMNS = ("row", "paper s", "paper GB", "paper F1", "measured", "s", "GB", "tokens", "passes", "F1")


def cost_grid(dataset: Dataset) -> Grid:
    """Table 4: seconds, memory, answer tokens and forward passes a sentence, and F1, of each strategy."""
    taggers = {one.name: one for one in same_base(dataset)}
    timed = [one for one in taggers.values() if one.seconds or dataset.systems[one.name].costs]
    if not timed:
        return Grid(
            f"{dataset.name}: not measured (no tagger's file holds timings, and no `seconds` stand in the manifest)."
        )
    measured = [ScoredSystem(one.strategy, one.strategy, dataset.systems[one.name]) for one in timed]
    rows = []
    for name, values, ours in laid_out(published().tables[4], dataset, measured):
        cells = (
            (NOT_MEASURED, *[NOTHING] * 5)
            if ours is None
            else _cost_cells(taggers[ours.system.name], ours.system, dataset.resampling)
        )
        rows.append((Cell(name), *_paper_costs(values), *cells))
    return Grid(wording_of(dataset), _COST_COLUMNS, tuple(rows), notes=_cost_notes(timed))


def _paper_costs(values: Sequence[float] | None) -> tuple[Cell, ...]:
    if values is None:
        return paper_cells(None, 3)
    seconds, memory, f1 = values
    return Cell(f"{seconds:.2f}", tone="paper"), Cell(f"{memory:.2f}", tone="paper"), *paper_cells((f1,), 1)


def _cost_cells(tagger: TaggerEntry, system: System, how: Resampling) -> tuple[Cell, ...]:
    costs = system.costs
    seconds, tokens, passes = NOTHING, NOTHING, NOTHING
    if costs is not None:
        bounds = bootstrap_interval(np.array(costs.by_document), lambda rows: rows[:, 0] / rows[:, 1], how)
        mean = sum(one for one, _ in costs.by_document) / costs.answers
        seconds = Cell(f"{mean:.2f}", "" if math.isnan(bounds.low) else f"[{bounds.low:.2f}, {bounds.high:.2f}]")
        tokens, passes = (Cell(f"{number / costs.answers:.1f}") for number in (costs.answer_tokens, costs.passes))
    if tagger.seconds is not None:
        seconds = Cell(f"{tagger.seconds:.2f}*")
    memory = NOTHING if tagger.memory_gb is None else Cell(f"{tagger.memory_gb:.2f}")
    score = ratio_cell(system.f1, system.scored.intervals.f1)
    return Cell(system.name), seconds, memory, tokens, passes, score


def _cost_notes(timed: Sequence[TaggerEntry]) -> tuple[str, ...]:
    notes = []
    if any(one.seconds is None for one in timed):
        notes.append(
            "Seconds without * run from a sentence's request to its answer, waiting included: many sentences are under "
            "way at once, so they say how long one waits, and a run takes many times less than their sum."
        )
    if any(one.seconds is not None for one in timed):
        notes.append("* as the manifest states it: a whole run's time divided by its sentences.")
    return tuple(notes)


def filter_errors_grid(dataset: Dataset) -> Grid:
    """Table 6: the four kinds of false positives of the main tagger, before and after each of its filters."""
    main = dataset.roles.main
    chosen = [] if main is None else [one for one in dataset.manifest.filter if one.of == main.name]
    if main is None or not chosen:
        return Grid(f"{dataset.name}: not measured.")
    rows = [ScoredSystem("baseline", "baseline", dataset.systems[main.name])]
    rows += [ScoredSystem(one.kind, f"+{one.kind}", dataset.systems[one.system]) for one in chosen]
    return _change_grid(dataset, 6, rows, FALSE_POSITIVES)


def nested_errors_grid(dataset: Dataset) -> Grid:
    """Table 12: false positives at nested entities, of the main tagger and of the whole method."""
    main, final = dataset.roles.main, dataset.roles.final
    if main is None or final is None:
        return Grid(f"{dataset.name}: not measured.")
    if not dataset.gold.nested_entities:
        return Grid(f"{dataset.name}: not measured, as no gold entity is nested.")
    rows = [
        ScoredSystem("baseline", "baseline", dataset.systems[main.name]),
        ScoredSystem("final", "whole method", dataset.systems[final]),
    ]
    return _change_grid(dataset, 12, rows, NESTED_CLASSES)


def _change_grid(dataset: Dataset, number: int, rows: Sequence[ScoredSystem], kinds: Sequence[ErrorClass]) -> Grid:
    """Counts of each kind of error, and their change against the first row."""
    table = published().tables[number]
    before = table.rows_on(dataset.labels_name).get("baseline")
    names = [wording.ERROR_NAMES[kind] for kind in kinds]
    columns = ("row", *(f"paper: {name}" for name in names), "measured", *names)
    shown = []
    for name, values, ours in laid_out(table, dataset, rows):
        paper = [NOTHING] * len(kinds)
        if values is not None and before is not None:
            earlier = before.values[dataset.labels_name]
            paper = [_paper_count(a, b) for a, b in zip(earlier, values, strict=True)]
        cells = [NOT_MEASURED, *[NOTHING] * len(kinds)]
        if ours is not None:
            cells = [Cell(ours.system.name), *_changes(dataset, rows[0].system, ours.system, kinds, number == 12)]
        shown.append((Cell(name), *paper, *cells))
    return Grid(wording_of(dataset), columns, tuple(shown))


def _paper_count(before: float, count: float) -> Cell:
    change = "" if before == count else f" ({_percent(before, count)})"
    return Cell(f"{count:.0f}{change}", tone="paper")


def _changes(
    dataset: Dataset, baseline: System, system: System, kinds: Sequence[ErrorClass], nested: bool
) -> list[Cell]:
    old = dataset.mistakes_dk(baseline, kinds, nested=nested)
    new = dataset.mistakes_dk(system, kinds, nested=nested)
    cells = []
    for before_d, after_d in zip(old.T, new.T, strict=True):
        before, after = before_d.sum(), after_d.sum()
        if system is baseline:
            bounds = bootstrap_interval(after_d[:, None], lambda rows: rows[:, 0], dataset.resampling)
            cells.append(Cell(f"{after:.0f}", _count_bounds(bounds.low, bounds.high)))
            continue
        bounds = bootstrap_interval((after_d - before_d)[:, None], lambda rows: rows[:, 0], dataset.resampling)
        change = f"{after - before:+.0f}, {_percent(before, after)}"
        # Fewer errors are the gain.
        tone = tone_of(-bounds.high, -bounds.low)
        cells.append(Cell(f"{after:.0f} ({change})", _count_bounds(bounds.low, bounds.high, sign="+"), tone))
    return cells


def _count_bounds(low: float, high: float, *, sign: str = "") -> str:
    return "" if math.isnan(low) else f"[{low:{sign}.0f}, {high:{sign}.0f}]"


def _percent(before: float, after: float) -> str:
    return f"{100 * (after - before) / before:+.0f} %" if before else wording.UNKNOWN
