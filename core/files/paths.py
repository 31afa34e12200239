"""Paths as text that can be shown and written."""

from __future__ import annotations

import os
from pathlib import Path

from medner.core.characters import is_unicode


def readable_path(path: Path | str) -> str:
    """The path as text that every output can hold, where its bytes are not UTF-8.

    Names that were unpacked from an archive made on Windows are GB18030 as a rule; bytes that are neither are
    percent-encoded.
    """
    name = str(path)
    if name.isascii() or is_unicode(name):
        return name
    return "/".join(_readable_name(part) for part in name.split("/"))


def percent_encoded(name: str) -> str:
    """A name whose bytes outside of ASCII are percent-encoded, one name for each row of bytes."""
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in name.encode("utf-8", "surrogateescape"))


def printable(text: str) -> str:
    """The text with escapes for what no output can hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _readable_name(name: str) -> str:
    if is_unicode(name):
        return name
    try:
        data = os.fsencode(name)
    except UnicodeEncodeError:
        return printable(name)
    for encoding in ("utf-8", "gb18030"):
        try:
            decoded = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        # GB18030 takes most bytes for something; what nobody would write is no name.
        if decoded.isprintable() and not any("\ue000" <= char <= "\uf8ff" for char in decoded):
            return decoded
    return percent_encoded(name)
