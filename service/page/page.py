"""The HTML page of annotations: one file that needs nothing else and asks nobody.

Everything that comes from a text, a model or a label set is escaped. The only style and the only script are the
page's own, and a content security policy names them by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from medner.core.labels import LabelSet, LabelType
from medner.core.records import AnnotatedDocument
from medner.service.page.records import KEPT_STATES, Mark, Numbering, Passage

Language = Literal["zh", "en"]

PAPER = ("#ffffff", "#16191d")
# A line colour a type, (light, dark): hues kept apart for the common kinds of colour blindness, each at least
# 4.5 to 1 against its label's tint. Types beyond the last start again; their names tell them apart.
PALETTE = (
    ("#b0361a", "#ff9b7a"),
    ("#0062a8", "#74baff"),
    ("#00684d", "#4fd0a4"),
    ("#963668", "#f29ccd"),
    ("#795400", "#e6bd4b"),
    ("#0a6475", "#67d2e5"),
    ("#4a49b8", "#b0b1ff"),
    ("#545f00", "#c1d15c"),
    ("#65503f", "#d6bba8"),
)


@dataclass(frozen=True, slots=True)
class PageType:
    """A type as the page draws it: its number is its place in the list, its colour one of the palette's."""

    label: LabelType
    color: int
    count: int


@dataclass(frozen=True, slots=True)
class PageDocument:
    """A document as the page draws it, with the figures of its summary in the order in which they are shown."""

    id: str
    passages: tuple[Passage, ...]
    figures: Mapping[str, int]


def render_page(
    documents: Sequence[AnnotatedDocument],
    labels: LabelSet,
    *,
    title: str,
    configuration: Mapping[str, str],
    notice: str | None = None,
    language: Language = "zh",
) -> str:
    """The page as HTML text, to be written as UTF-8.

    ``configuration`` and ``notice`` are shown as they are; ``language`` is what the interface starts in. A label
    that ``labels`` does not know is shown by its code. NUL and lone surrogates, which HTML cannot hold, are shown
    as U+FFFD. ValueError when a sentence is not where it says it is.
    """
    numbering = Numbering()
    passages = [numbering.passages(index, annotated) for index, annotated in enumerate(documents)]
    pages = [_page_document(one.document.id, found) for one, found in zip(documents, passages, strict=True)]
    types = _page_types(labels, passages)
    words = _words()
    details = {
        "types": [{"code": one.label.code, "name": one.label.name, "color": one.color} for one in types],
        "documents": [one.document.id for one in documents],
        "sentences": numbering.sentences,
        "conflicts": numbering.conflicts,
        "marks": numbering.marks,
    }
    environment = _environment()
    style = _style(environment, [passage for found in passages for passage in found], len(types))
    script = _source("page.js") + _source("page_panel.js")
    html = environment.get_template("page.html").render(
        documents=pages,
        types=types,
        type_numbers={one.label.code: number for number, one in enumerate(types)},
        title=title,
        configuration=configuration,
        notice=notice,
        language=language,
        words=words[language],
        totals=_totals(pages),
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 - the page's own, with nothing but numbers filled in
        script=Markup(script),  # noqa: S704 - the page's own
        details=script_json(details),
        all_words=script_json(words),
    )
    return re.sub("[\0\ud800-\udfff]", "\ufffd", html)


def script_json(value: Any) -> Markup:
    """``value`` as JSON that no HTML parser can leave early: no ``<``, ``>`` or ``&`` stands in it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped just above


def exact(text: str) -> Markup:
    """``text`` for an HTML element whose text content is then the very same: a parser would drop carriage returns."""
    escaped = re.sub("\r(?!\n)", "&#13;<br>", str(escape(text)))
    return Markup(escaped.replace("\r", "&#13;"))  # noqa: S704 - escaped just above


def base_style() -> str:
    """The style that all pages share."""
    return _environment().get_template("base.css").render(papers=PAPER)


@cache
def _environment() -> Environment:
    loader = PackageLoader("medner.service.page", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["exact"] = exact
    return environment


def _source(name: str) -> str:
    return (resources.files("medner.service.page") / "templates" / name).read_text(encoding="utf-8")


def _words() -> dict[str, dict[str, str]]:
    return tomllib.loads(_source("page_words.toml"))


def _style(environment: Environment, passages: Sequence[Passage], types: int) -> str:
    modes = [
        [{"line": pair[mode], "tint": _mix(pair[mode], PAPER[mode], 0.13)} for pair in PALETTE] for mode in range(2)
    ]
    tracks = max((passage.full_depth for passage in passages), default=0)
    return environment.get_template("page.css").render(modes=modes, tracks=tracks, types=types, papers=PAPER)


def _mix(color: str, paper: str, share: float) -> str:
    pairs = zip(bytes.fromhex(color[1:]), bytes.fromhex(paper[1:]), strict=True)
    return "#" + bytes(round(share * front + (1 - share) * back) for front, back in pairs).hex()


def _policy(style: str, script: str) -> str:
    def source(content: str) -> str:
        digest = hashlib.sha256(content.encode("utf-8")).digest()
        return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"

    parts = (
        "default-src 'none'",
        f"style-src {source(style)}",
        f"script-src {source(script)}",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(parts)


def _page_types(labels: LabelSet, passages: Sequence[Sequence[Passage]]) -> list[PageType]:
    marks: list[Mark] = [mark for found in passages for passage in found for mark in passage.marks]
    counts = Counter(mark.entity.label for mark in marks if mark.kept)
    unknown = sorted({mark.entity.label for mark in marks} - set(labels.codes))
    known = [*labels.types, *(LabelType(code, code, "") for code in unknown)]
    return [PageType(label, number % len(PALETTE), counts[label.code]) for number, label in enumerate(known)]


def _page_document(document_id: str, passages: tuple[Passage, ...]) -> PageDocument:
    annotations = [passage.annotation for passage in passages if passage.annotation is not None]
    states = Counter(mark.state for passage in passages for mark in passage.marks)
    figures = {
        "characters": sum(len(passage.text) for passage in passages),
        "sentences": len(annotations),
        "entities": sum(states[state] for state in KEPT_STATES),
        "agreed": states["agreed"],
        "conflicts": sum(len(annotation.conflicts) for annotation in annotations),
        "judged": states["judged"],
        "fallback": states["fallback"],
        "dropped": states["dropped"],
        "filtered": states["filtered"],
        "problems": sum(passage.flag is not None for passage in passages),
    }
    return PageDocument(document_id, passages, figures)


def _totals(pages: Sequence[PageDocument]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for page in pages:
        totals.update(page.figures)
    return {"documents": len(pages), **totals}
