"""Documents made by chance from a seed: nested and crossing entities, emoji, CR LF, Han beyond the BMP."""

from __future__ import annotations

import random
from collections.abc import Sequence

from medner.core.labels import load_label_set
from medner.core.records import Document, Entity

LABELS = load_label_set("cmeee-v2")
NUMBER = 2_000
_WORDS = (
    "患者",
    "胸部疼痛",
    "咳嗽",
    "慢性阻塞性肺疾病",
    "右下肺",
    "阿司匹林",
    "既往体健",
    "、",
    "，",
    "。",
    "；",
    "：",
)
_FOREIGN = ("COPD", "5mg", "β-受体", "T2WI", "é", "e\u0301", "Ｃ反应蛋白", "pH7.35")
_RARE = ("𠮷", "𬌗", "𫠊", "㙟", "𰻞", "😊", "👨‍👩‍👧", "🇨🇳", "❤️", "👍🏽", "\u200b", "\ufeff", "\u202e")
_MARKS = (
    "[",
    "]",
    "|",
    "_",
    "*",
    "\\",
    "\\n",
    "->",
    ";",
    "<",
    ">",
    "&",
    '"',
    "'",
    "#Text=",
    "T1",
    "]]>",
    "%2F",
    "&#10;",
)
_WHITE = (" ", "  ", "\t", "\n", "\r\n", "\r", "\n\n", "\r\n \r\n", "\u3000", "\xa0", "\u2028", "\x0b", "\x0c", "\x85")
_CONTROLS = ("\x07", "\x1b", "\x00", "\uffff")


def generated(seed: int = 0, number: int = NUMBER) -> list[Document]:
    """As many documents; the same seed gives the same ones."""
    draw = random.Random(seed)  # noqa: S311  chance, not a secret
    return [_document(draw, place) for place in range(number)]


def _document(draw: random.Random, place: int) -> Document:
    pools: list[Sequence[str]] = [_WORDS, _WORDS, _WORDS, _FOREIGN, _RARE, _MARKS, _WHITE]
    if draw.random() < 0.05:
        pools.append(_CONTROLS)
    text = "".join(draw.choice(draw.choice(pools)) for _ in range(draw.randrange(40)))
    entities = [_entity(draw, len(text)) for _ in range(draw.randrange(7))] if text else []
    # One inside another, one across its end, and another type on its place.
    for one in entities[:2]:
        middle = (one.start + one.end) // 2
        entities += [Entity(one.start, max(middle, one.start + 1), one.label), Entity(one.start, one.end, _label(draw))]
        if middle < one.end < len(text):
            entities.append(Entity(middle, min(len(text), one.end + 2), _label(draw)))
    return Document(f"病历/{place}.甲 %2F", text, tuple(entities))


def _entity(draw: random.Random, length: int) -> Entity:
    start = draw.randrange(length)
    return Entity(start, min(length, start + draw.randint(1, 12)), _label(draw))


def _label(draw: random.Random) -> str:
    return draw.choice(LABELS.codes)
