"""The encoding of a file that is too large to be held: found block by block, read as a stream."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from medner.core.errors import BadInputError
from medner.store.corpora.reading.encoding import recognised
from medner.store.corpora.reading.raw_records import open_bytes
from medner.store.corpora.reading.read_options import ReadOptions

_HEAD_BYTES = 1 << 18
_BLOCK = 1 << 20
#: In a file of Chinese text nearly all characters are of these.
_USUAL = re.compile("[\t-\r -~\u3000-\u303f\u4e00-\u9fff\uff01-\uff5e]")
_LEAST_USUAL = 0.9
_HAN = re.compile("[\u4e00-\u9fff]")
_LEAST_COMMON = 0.5
#: GB18030 takes nearly any bytes; text that has more errors than this share is something else.
_MOST_ERRORS = 0.01


@dataclass(frozen=True, slots=True)
class FileEncoding:
    """The encoding of a file: Python's name for it, and what a user should know of the choice."""

    name: str
    told: str

    @property
    def errors(self) -> str:
        """How bytes that are not in it are read: as lone surrogates, so that only their rows are bad."""
        return "strict" if self.name.startswith(("utf-16", "utf-32")) else "surrogateescape"


def file_encoding(path: Path, options: ReadOptions) -> FileEncoding:
    """The encoding of a file. BadInputError where it is in none that is known."""
    with open_bytes(path) as file:
        head = file.read(_HEAD_BYTES)
    marked = recognised(head[:4], complete=False)
    if marked is not None and marked.has_mark:
        return FileEncoding("utf-8-sig", "UTF-8 with a byte order mark, which is no part of the first cell")
    if marked is not None and marked.note is not None and marked.name.startswith("utf"):
        return FileEncoding(marked.name, f"{marked.name.upper()} (recognised by its byte order mark)")
    if options.encoding is not None and not _is_utf8(options.encoding):
        found = recognised(head, options.encoding, complete=False)
        if found is not None and found.name == "utf-8":
            return FileEncoding("utf-8", f"UTF-8, although --encoding names {options.encoding}")
        return FileEncoding(options.encoding, f"{options.encoding} (--encoding)")
    if b"\0" in head:
        return _without_mark(head, path)
    if _is_utf8(options.encoding) or (bad := _first_not_utf8(path)) is None:
        return FileEncoding("utf-8", "UTF-8")
    return _not_utf8(bad, path)


def _is_utf8(name: str | None) -> bool:
    return name is not None and codecs.lookup(name).name in ("utf-8", "utf-8-sig")


def _without_mark(head: bytes, path: Path) -> FileEncoding:
    """UTF-16 of which the file itself does not say the byte order: the order that gives usual characters."""
    shares = {name: _usual_share(head.decode(name, "ignore")) for name in ("utf-16-le", "utf-16-be")}
    best = max(shares, key=lambda name: shares[name])
    if shares[best] < _LEAST_USUAL or min(shares.values()) >= _LEAST_USUAL:
        raise BadInputError("the file is binary, not text (it holds zero bytes)", path=path)
    return FileEncoding(
        best, f"{best.upper()} without a byte order mark (recognised by its characters; another: --encoding NAME)"
    )


def _not_utf8(data: bytes, path: Path) -> FileEncoding:
    """GB18030, or UTF-8 of which some bytes are damaged, whichever has fewer errors."""
    as_utf8, as_gb = (data.decode(name, "replace") for name in ("utf-8", "gb18030"))
    if _error_share(as_utf8) < _error_share(as_gb) or _usual_share(as_utf8) >= max(_LEAST_USUAL, _usual_share(as_gb)):
        return FileEncoding("utf-8", "UTF-8 with bytes that are none")
    if _error_share(as_gb) > _MOST_ERRORS or _usual_share(as_gb) < _LEAST_USUAL or _common_share(as_gb) < _LEAST_COMMON:
        raise BadInputError(
            "the file is not UTF-8, and does not look like GB18030; name its encoding: --encoding NAME (big5, gb18030 "
            "...)",
            path=path,
        )
    return FileEncoding(
        "gb18030", "GB18030, not UTF-8 (recognised by its bytes; if the texts look wrong: --encoding NAME)"
    )


def _first_not_utf8(path: Path) -> bytes | None:
    """The bytes from the first line on that is not UTF-8; None where all lines are."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_bytes(path) as file:
        try:
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            line = error.object.rfind(b"\n", 0, error.start) + 1
            return error.object[line : line + _HEAD_BYTES]
    return None


def _usual_share(text: str) -> float:
    return len(_USUAL.findall(text)) / max(1, len(text))


def _common_share(text: str) -> float:
    """How many of the Chinese characters are among the 6,763 of GB2312; few where Big5 is read as GB18030."""
    chinese = "".join(_HAN.findall(text))
    return len(chinese.encode("gb2312", "ignore")) / 2 / max(1, len(chinese))


def _error_share(text: str) -> float:
    return text.count("\ufffd") / max(1, len(text))
