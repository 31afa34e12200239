"""Cohen's kappa of two annotators (Cohen 1960), over three kinds of units that nested and crossing entities fit.

Kappa needs units that both annotators judged, and a category that each gave to each unit. Entities are no units: what
nobody marked was judged as well. So the units are one of these, and a category is a set of types, the empty set
included:

- **spans**: every stretch of a text that could have been marked, n(n + 1)/2 for n characters. Its category is the set
  of types that the annotator gave to exactly this stretch. Nested and crossing entities are different units. Nearly all
  units are empty for both, so this kappa is close to the strict F1, which is its limit (Hripcsak and Rothschild 2005).
- **characters**: every character of a text. Its category is the set of types whose entities it lies in. Boundaries
  that differ a little cost a little. An entity nested in one of its own type adds nothing.
- **types**: the stretches that both annotators marked. It says how well they agree on types where they agree on places.

For a single type the category is whether the type is in the set.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from medner.core.records import Entity
from medner.evaluation.measures.matching import Pair
from medner.evaluation.measures.significance import Interval, Resampling, bootstrap_totals, middle

Category = frozenset[str]
#: How often each pair of categories was given to a unit of one text.
Table = Counter[tuple[Category, Category]]
_NONE: Category = frozenset()


@dataclass(frozen=True, slots=True)
class Kappa:
    """Kappa with its bootstrap interval over documents, and the number of units. NaN where chance alone agrees
    fully, as when both gave one category to everything."""

    value: float
    interval: Interval
    units: int


def kappa(tables: Sequence[Table], how: Resampling) -> Kappa:
    """The kappa of texts, from the sum of their tables."""
    categories = sorted({category for table in tables for pair in table for category in pair}, key=sorted)
    places = {category: place for place, category in enumerate(categories)}
    # Of each text: the agreed units, and how often either annotator gave each category.
    counts_dc = np.zeros((len(tables), 1 + 2 * len(places)))
    for row, table in zip(counts_dc, tables, strict=True):
        for (one, other), number in table.items():
            row[0] += number * (one == other)
            row[1 + places[one]] += number
            row[1 + len(places) + places[other]] += number
    value = float(_kappas(counts_dc.sum(axis=0)[None])[0])
    drawn = _kappas(bootstrap_totals(counts_dc, how))
    return Kappa(value, middle(drawn, how.level, enough=len(tables) > 1), sum(table.total() for table in tables))


def _kappas(counts_rc: np.ndarray) -> np.ndarray:
    half = (counts_rc.shape[1] - 1) // 2
    one, other = counts_rc[:, 1 : 1 + half], counts_rc[:, 1 + half :]
    units = one.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = counts_rc[:, 0] / units
        expected = (one * other).sum(axis=1) / units**2
        found: np.ndarray = np.where(expected < 1, (observed - expected) / (1 - expected), math.nan)
    return found


def span_table(pair: Pair) -> Table:
    """The table of all stretches of a text."""
    length = len(pair.gold.text)
    table = _marked_spans(pair, lambda one, other: bool(one or other))
    table[_NONE, _NONE] += length * (length + 1) // 2 - table.total()
    return table


def type_table(pair: Pair) -> Table:
    """The table of the stretches that both annotators marked."""
    return _marked_spans(pair, lambda one, other: bool(one and other))


def _marked_spans(pair: Pair, counts: Callable[[Category, Category], bool]) -> Table:
    one, other = _types_of_spans(pair.expected), _types_of_spans(pair.given)
    found = ((one.get(span, _NONE), other.get(span, _NONE)) for span in one.keys() | other.keys())
    return Counter(categories for categories in found if counts(*categories))


def _types_of_spans(entities: Iterable[Entity]) -> dict[tuple[int, int], Category]:
    types: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
    for entity in entities:
        types[entity.start, entity.end].add(entity.label)
    return {span: frozenset(labels) for span, labels in types.items()}


def character_table(pair: Pair) -> Table:
    """The table of the characters of a text."""
    edges = {edge for entity in pair.expected | pair.given for edge in (entity.start, entity.end)}
    bounds = sorted({0, len(pair.gold.text), *edges})
    table: Table = Counter()
    for start, end in pairwise(bounds):
        table[_types_at(pair.expected, start), _types_at(pair.given, start)] += end - start
    return table


def _types_at(entities: Set[Entity], place: int) -> Category:
    return frozenset(entity.label for entity in entities if entity.start <= place < entity.end)


def of_type(table: Table, label: str) -> Table:
    """The table with a single type for its categories: in it or not."""
    found: Table = Counter()
    for (one, other), number in table.items():
        found[one & {label}, other & {label}] += number
    return found
