"""The tables of precision, recall and F1: 3, 5, 7, 8, 9 and 11."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from medner.evaluation.paper.grid import (
    NOT_MEASURED,
    NOTHING,
    Cell,
    Grid,
    difference_cells,
    paper_cells,
    ratio_cell,
)
from medner.evaluation.paper.manifest import EnsembleEntry, JudgeEntry, TaggerEntry
from medner.evaluation.paper.published import PublishedTable, published
from medner.evaluation.paper.roles import PAPERS_FILTER, base_key, filter_of
from medner.evaluation.paper.systems import Dataset, System
from medner.evaluation.reports.wording import counted

MEASURES = ("P", "R", "F1")


@dataclass(frozen=True, slots=True)
class ScoredSystem:
    """A system in a row: ``key`` finds the paper's row, ``label`` names a row the paper has not.

    ``against`` are the systems it is compared with, one a column of differences; None leaves the column blank.
    """

    key: str
    label: str
    system: System
    against: tuple[System | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What a table says of a data set; ``baselines`` name the columns of differences."""

    rows: tuple[ScoredSystem, ...] = ()
    baselines: tuple[str, ...] = ()


def score_grid(dataset: Dataset, number: int) -> Grid:
    """A table's grid: the paper's rows in its order, ours beside them, then ours that the paper has no row for."""
    content = CONTENTS[number](dataset)
    if not content.rows:
        return Grid(f"{dataset.name}: not measured.")
    deltas = [title for baseline in content.baselines for title in (f"F1 − {baseline}", "p")]
    columns = ("row", *(f"paper {measure}" for measure in MEASURES), "measured", *MEASURES, *deltas)
    rows = []
    for name, values, measured in laid_out(published().tables[number], dataset, content.rows):
        cells = _score_cells(dataset, measured, len(deltas))
        rows.append((Cell(name), *paper_cells(values, len(MEASURES)), *cells))
    return Grid(wording_of(dataset), columns, tuple(rows))


def wording_of(dataset: Dataset) -> str:
    """The data set with its n."""
    return f"{dataset.name}: n = {counted(dataset.gold.documents, 'document')}, {dataset.gold.entities:,} entities"


def laid_out(
    table: PublishedTable, dataset: Dataset, measured: Sequence[ScoredSystem]
) -> Iterator[tuple[str, tuple[float, ...] | None, ScoredSystem | None]]:
    """Row name, the paper's values and our system of every row; one of the two may be None.

    The paper's rows stand in its order; ours that it has no row for stand before the next of ours that it has.
    """
    known = table.rows_on(dataset.labels_name)
    follows: dict[str, list[ScoredSystem]] = {}
    waiting: list[ScoredSystem] = []
    for one in measured:
        if one.key in known:
            follows.setdefault(one.key, []).extend([*waiting, one])
            waiting = []
        else:
            waiting.append(one)
    for key, row in known.items():
        values = row.values[dataset.labels_name]
        if key not in follows:
            yield row.name, values, None
        for one in follows.get(key, []):
            yield (row.name, values, one) if one.key == key else (one.label, None, one)
    yield from ((one.label, None, one) for one in waiting)


def _score_cells(dataset: Dataset, measured: ScoredSystem | None, deltas: int) -> Iterator[Cell]:
    if measured is None:
        yield NOT_MEASURED
        yield from [NOTHING] * (len(MEASURES) + deltas)
        return
    counts, bounds = measured.system.scored.counts, measured.system.scored.intervals
    yield Cell(measured.system.name)
    yield ratio_cell(counts.precision, bounds.precision)
    yield ratio_cell(counts.recall, bounds.recall)
    yield ratio_cell(counts.f1, bounds.f1)
    for other in measured.against:
        compared = other is not None and other is not measured.system
        yield from difference_cells(dataset.difference(other, measured.system) if other and compared else None)


def same_base(dataset: Dataset) -> list[TaggerEntry]:
    """The tuned taggers on the main tagger's base model: what tables 3 and 4 set side by side."""
    main = dataset.roles.main
    if main is None:
        return []
    taggers = (tagger for tagger in dataset.manifest.tagger if not tagger.zero_shot)
    return [tagger for tagger in taggers if base_key(tagger.base) == base_key(main.base)]


def _strategies(dataset: Dataset) -> Content:
    main = dataset.roles.main
    if main is None:
        return Content()
    against = (dataset.systems[main.name],)
    rows = (ScoredSystem(one.strategy, one.strategy, dataset.systems[one.name], against) for one in same_base(dataset))
    return Content(tuple(rows), (main.name,))


def _filters(dataset: Dataset) -> Content:
    main = dataset.roles.main
    chosen = [] if main is None else [one for one in dataset.manifest.filter if one.of == main.name]
    if main is None or not chosen:
        return Content()
    baseline = dataset.systems[main.name]
    rows = (ScoredSystem(one.kind, f"+{one.kind}", dataset.systems[one.system], (baseline,)) for one in chosen)
    return Content((ScoredSystem("baseline", "baseline", baseline, (None,)), *rows), (main.name,))


def _ensembles(dataset: Dataset) -> Content:
    manifest, systems = dataset.manifest, dataset.systems
    judges = [judge for judge in manifest.judge if judge.prompt == "direct"]
    best = dataset.best(dataset.roles.members)
    if best is None or not (manifest.ensemble or judges):
        return Content()
    hard = next((one for one in manifest.ensemble if one.kind == "hard-vote"), None)
    vote = None if hard is None else systems[hard.system]
    keys = _member_keys(dataset)
    rows = [ScoredSystem(keys.get(name, ""), name, systems[name], (best, None)) for name in dataset.roles.members]
    rows += [_vote_row(dataset, one, (best, vote)) for one in manifest.ensemble]
    rows += [
        ScoredSystem(f"judge:{base_key(judge.base)}", judge.name, systems[judge.name], (best, vote)) for judge in judges
    ]
    titles = (f"best member {best.name}", *(() if hard is None else (_vote_label(dataset, hard),)))
    return Content(tuple(_cut(row, len(titles)) for row in rows), titles)


def _vote_row(dataset: Dataset, one: EnsembleEntry, against: tuple[System | None, ...]) -> ScoredSystem:
    """A vote's row. One of two members is not the paper's majority; an oracle is no method to be compared."""
    members = len(dataset.roles.members)
    key = one.kind if one.kind != "hard-vote" or one.file is not None or members > 2 else ""
    compared = tuple(None for _ in against) if one.kind == "oracle" else against
    return ScoredSystem(key, _vote_label(dataset, one), dataset.systems[one.system], compared)


def _vote_label(dataset: Dataset, one: EnsembleEntry) -> str:
    members = len(dataset.roles.members)
    if one.kind == "hard-vote" and one.file is None:
        return f"{one.system} ({members // 2 + 1} of {members})"
    return f"{one.system} (reads the gold)" if one.kind == "oracle" else one.system


def _cut(row: ScoredSystem, number: int) -> ScoredSystem:
    return ScoredSystem(row.key, row.label, row.system, row.against[:number])


def _member_keys(dataset: Dataset) -> Mapping[str, str]:
    """The paper's members are filtered taggers, one a base model."""
    bases = {tagger.name: base_key(tagger.base) for tagger in dataset.manifest.tagger}
    return {one.system: bases[one.of] for one in dataset.manifest.filter if one.kind == PAPERS_FILTER}


def _prompts(dataset: Dataset) -> Content:
    judges = dataset.manifest.judge

    def direct(of: JudgeEntry) -> System | None:
        """What a step-by-step prompt is compared with: the first direct one of its model and mode."""
        alike = (one for one in judges if (one.base, one.mode, one.prompt) == (of.base, of.mode, "direct"))
        found = next((dataset.systems[one.name] for one in alike), None)
        return None if of.prompt == "direct" else found

    rows = (
        ScoredSystem(
            f"{base_key(one.base)}:{one.prompt}",
            f"{one.name}: {one.base or 'base not named'}, {one.prompt}, {one.mode}",
            dataset.systems[one.name],
            (direct(one),),
        )
        for one in judges
    )
    return Content(tuple(rows), ("direct, same judge",)) if judges else Content()


def _methods(dataset: Dataset) -> Content:
    systems, roles = dataset.systems, dataset.roles
    taggers = dataset.manifest.tagger
    zero_shot = [one for one in taggers if one.zero_shot]
    other = [one for one in taggers if one.strategy == "sequence" and not one.zero_shot]
    best = dataset.best(one.name for one in zero_shot)
    single = dataset.single
    final = systems[roles.final] if roles.final else None
    pairs: Iterable[tuple[str, str, System | None]] = (
        *((base_key(one.base), one.name, systems[one.name]) for one in other),
        *((f"zero-shot:{base_key(one.base)}", f"{one.name} (zero-shot)", systems[one.name]) for one in zero_shot),
        ("single", "without ensemble", single),
        ("final", "whole method", final),
    )
    found = [(key, label, system) for key, label, system in pairs if system is not None]
    against = [system for system in (best, single) if system is not None]
    rows = (ScoredSystem(key, label, system, tuple(against)) for key, label, system in found)
    titles = ([f"best zero-shot {best.name}"] if best else []) + ([single.name] if single else [])
    return Content(tuple(rows), tuple(titles)) if found else Content()


def _other_bases(dataset: Dataset) -> Content:
    rows = []
    for tagger in dataset.manifest.tagger:
        found = filter_of(dataset.manifest, tagger)
        if found is None or tagger == dataset.roles.main or tagger.zero_shot:
            continue
        baseline, filtered = dataset.systems[tagger.name], dataset.systems[found.system]
        base = base_key(tagger.base)
        rows.append(ScoredSystem(f"{base}:baseline", f"{tagger.name} baseline", baseline, (None,)))
        rows.append(ScoredSystem(f"{base}:{PAPERS_FILTER}", f"{tagger.name} +LLM-CLS", filtered, (baseline,)))
    return Content(tuple(rows), ("its baseline",)) if rows else Content()


CONTENTS: dict[int, Callable[[Dataset], Content]] = {
    3: _strategies,
    5: _filters,
    7: _ensembles,
    8: _prompts,
    9: _methods,
    11: _other_bases,
}
