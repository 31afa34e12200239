"""Radicals that fonts of PDF files give in the place of characters: ⾼ (U+2FBC) looks like 高 (U+9AD8), and is none."""

from __future__ import annotations

import unicodedata

_KANGXI = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0x2F00, 0x2FD6)}
#: Of the supplement those whose character looks the same; Unicode itself maps only two of them.
_SUPPLEMENT = {
    "⺟": "母", "⺠": "民", "⻁": "虎", "⻄": "西", "⻅": "见", "⻆": "角", "⻉": "贝", "⻋": "车", "⻑": "長", "⻒": "镸",
    "⻓": "长", "⻔": "门", "⻗": "雨", "⻘": "青", "⻙": "韦", "⻚": "页", "⻛": "风", "⻜": "飞", "⻝": "食", "⻢": "马",
    "⻣": "骨", "⻤": "鬼", "⻥": "鱼", "⻦": "鸟", "⻧": "卤", "⻨": "麦", "⻩": "黄", "⻫": "斉", "⻬": "齐", "⻭": "歯",
    "⻮": "齿", "⻯": "竜", "⻰": "龙", "⻱": "龜", "⻲": "亀", "⻳": "龟",
}  # fmt: skip
_CHARACTERS = {**_KANGXI, **{ord(radical): character for radical, character in _SUPPLEMENT.items()}}


def character_of(char: str) -> str:
    """The character that a radical stands for; any other one as it is."""
    return _CHARACTERS.get(ord(char), char)
