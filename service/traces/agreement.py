"""The agreement view: tables for a terminal, and a drawing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from medner.core.labels import LabelSet
from medner.evaluation.measures.disputes import Disputes, Share
from medner.evaluation.reports.tables import table

_ROW, _BAR, _LEFT, _WIDTH = 22, 300, 220, 640


def agreement_lines(found: Disputes, labels: LabelSet | None, *, most: int) -> Iterator[str]:
    """The view as text."""
    yield (
        f"{found.sentences:,} sentences, {found.in_dispute:,} with conflicts; {found.conflicts:,} conflicts, "
        f"{found.fallbacks:,} settled by the fallback rule, {found.abstained:,} left to a person, "
        f"{found.overruled:,} overruled"
    )
    for kind, number in sorted(found.left_out.items()):
        yield f"{number:,} more {kind} entities were too many to be questioned"
    pairs = [(f"{one} / {other}", *_cells(share)) for (one, other), share in sorted(found.pairs.items())]
    yield from _section("Entities that both give, of those that either gives", ("taggers", "both", "either", ""), pairs)
    total = sum(found.kinds.values())
    kinds = [(kind, *_cells(Share(number, total))) for kind, number in found.kinds.most_common()]
    yield from _section("Kinds of conflict", ("kind", "conflicts", "of", ""), kinds)
    wins = [(name, *_cells(share)) for name, share in _winners(found)]
    yield from _section("Disputed candidates that were kept", ("tagger", "kept", "disputed", ""), wins)
    by_type = [
        (f"{name} {_name(labels, label)}", *_cells(share))
        for (name, label), share in sorted(found.wins_by_type.items())
    ]
    yield from _section("The same by type", ("tagger, type", "kept", "disputed", ""), by_type)
    strings = [(f"{_name(labels, label)} {text}", *_cells(share)) for text, label, share in found.contested(most)]
    yield from _section("Most contested", ("type, text", "kept", "disputed", ""), strings)
    judges = [(name, f"{number:,}") for name, number in found.judges.most_common()]
    yield from _section("Verdicts", ("judge", "conflicts"), judges)


def agreement_svg(found: Disputes) -> str:
    """The same as a drawing: a bar for each pair, kind and tagger. It holds no text of a note."""
    total = sum(found.kinds.values())
    groups: list[tuple[str, list[tuple[str, Share]]]] = [
        (
            "Entities both give, of those either gives",
            [(" / ".join(pair), one) for pair, one in sorted(found.pairs.items())],
        ),
        ("Kinds of conflict", [(kind, Share(number, total)) for kind, number in found.kinds.most_common()]),
        ("Disputed candidates kept", _winners(found)),
    ]
    parts: list[str] = []
    at = 0
    for title, rows in groups:
        at += _ROW
        parts.append(f'<text x="0" y="{at}" font-weight="bold">{escape(title)}</text>')
        for name, share in rows:
            at += _ROW
            ratio = 0.0 if math.isnan(share.ratio) else share.ratio
            parts.append(f'<text x="0" y="{at}">{escape(name)}</text>')
            parts.append(f'<rect x="{_LEFT}" y="{at - 12}" width="{ratio * _BAR:.1f}" height="14" fill="#4878a8"/>')
            said = f"{ratio:.1%} ({share.part:,} of {share.total:,})"
            parts.append(f'<text x="{_LEFT + ratio * _BAR + 6:.1f}" y="{at}">{said}</text>')
        at += _ROW // 2
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{at + _ROW}" font-family="sans-serif"'
    return f'{head} font-size="13">\n' + "\n".join(parts) + "\n</svg>\n"


def _winners(found: Disputes) -> list[tuple[str, Share]]:
    """Each tagger; then what all of them gave and what none gave, where that was disputed."""
    together = [("(all taggers)", found.of_all), ("(no tagger)", found.of_none)]
    return [*sorted(found.wins.items()), *((name, share) for name, share in together if share.total)]


def _section(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        yield ""
        yield title
        yield table(head, rows)


def _cells(share: Share) -> tuple[str, str, str]:
    ratio = "" if math.isnan(share.ratio) else f"{share.ratio:.1%}"
    return f"{share.part:,}", f"{share.total:,}", ratio


def _name(labels: LabelSet | None, code: str) -> str:
    return labels.type_of(code).name if labels is not None and code in labels else code
