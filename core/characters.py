"""Which characters are blank, and which characters a reader sees as one. Decided here, for all of medner."""

from __future__ import annotations

import unicodedata

# Not white space by Unicode, and yet nothing is seen: fillers, the empty Braille cell, selectors of a variant.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_MARKS = ("Mn", "Me", "Mc")
_JOINER, _NON_JOINER = "\u200d", "\u200c"
# Marks of sound that stand behind a half-width kana, which Unicode counts as letters.
_KANA_MARKS = "\uff9e\uff9f"


def is_unicode(text: str) -> bool:
    """Whether the text holds whole characters only, no lone surrogates: whether an output can hold it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing: white space, controls, zero-width and other format characters alone, or none.

    This holds for U+3000, U+00A0, U+0085, U+2028, U+200B, U+FEFF, a soft hyphen and a variation selector without a
    base alike.
    """
    return all(map(_is_blank_character, text))


def _is_blank_character(char: str) -> bool:
    if char.isspace():
        return True
    if "!" <= char <= "~" or "\u4e00" <= char <= "\u9fff":  # nearly every character of a text
        return False
    return unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Zs") or char in _INVISIBLE or _is_selector(char)


def without_blank_edges(text: str, start: int, end: int) -> tuple[int, int]:
    """``[start, end)`` without blank characters at its edges; start and end are equal when nothing is left.

    A selector or joiner that belongs to the character before it stays there.
    """
    while start < end and is_blank(text[start]):
        start += 1
    while start < end and is_blank(text[end - 1]) and not is_inside_cluster(text, end - 1):
        end -= 1
    return start, end


def is_inside_cluster(text: str, at: int) -> bool:
    """Whether a cut before ``text[at]`` would tear apart what a reader sees as one character.

    Such are a letter with its combining marks or selectors, an emoji with its skin tone, a sequence of emoji that
    joiners make one, a flag. White space and controls are no base: a mark behind them stands by itself.
    """
    if not 0 < at < len(text):
        return False
    char, before = text[at], text[at - 1]
    if "!" <= char <= "~" or "\u4e00" <= char <= "\u9fff":
        return False
    if char == _JOINER:
        return _is_in_emoji(before)
    if before == _JOINER and _is_pictograph(char):
        return at > 1 and _is_in_emoji(text[at - 2])
    if "\U0001f3fb" <= char <= "\U0001f3ff" or "\U000e0020" <= char <= "\U000e007f" or _is_mark(char):
        return _takes_marks(before)
    return _is_flag_half(char) and _is_flag_half(before) and _halves_before(text, at) % 2 == 1


def cluster_start(text: str, at: int) -> int:
    """Where the character that a reader sees at ``at`` begins."""
    while is_inside_cluster(text, at):
        at -= 1
    return at


def cluster_end(text: str, at: int) -> int:
    """Where the character that a reader sees at ``at`` ends, exclusive."""
    at += 1
    while is_inside_cluster(text, at):
        at += 1
    return at


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in _MARKS or char in _KANA_MARKS


def _is_selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _takes_marks(char: str) -> bool:
    if char in (_JOINER, _NON_JOINER) or "\U000e0020" <= char <= "\U000e007f":
        return True
    return not char.isspace() and unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp")


def _is_in_emoji(char: str) -> bool:
    return _is_pictograph(char) or _is_selector(char) or "\U000e0020" <= char <= "\U000e007f"


def _is_pictograph(char: str) -> bool:
    return "\U0001f000" <= char <= "\U0001faff" or unicodedata.category(char) == "So"


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _halves_before(text: str, at: int) -> int:
    """How many halves of flags stand right before ``at``; only so many are looked at."""
    first = at - 1
    while first > max(0, at - 64) and _is_flag_half(text[first - 1]):
        first -= 1
    return at - first
