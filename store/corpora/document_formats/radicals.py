"""Radicals that fonts of PDF files give in the place of characters: ⾼ (U+2FBC) looks like 高 (U+9AD8), and is none."""

from __future__ import annotations

import unicodedata

_KANGXI = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0x2F00, 0x2FD6)}
#: Of the supplement those whose character looks the same; Unicode itself maps only two of them.
_SUPPLEMENT = dict(
    zip(
        "⺟⺠⻁⻄⻅⻆⻉⻋⻑⻒⻓⻔⻗⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻫⻬⻭⻮⻯⻰⻱⻲⻳",
        "母民虎西见角贝车長镸长门雨青韦页风飞食马骨鬼鱼鸟卤麦黄斉齐歯齿竜龙龜亀龟",
        strict=True,
    )
)
_CHARACTERS = {**_KANGXI, **{ord(radical): character for radical, character in _SUPPLEMENT.items()}}


def character_of(char: str) -> str:
    """The character that a radical stands for; any other one as it is."""
    return _CHARACTERS.get(ord(char), char)
