"""Which encoding bytes are in, and the text they hold.

UTF-8, UTF-16 and UTF-32 with a byte order mark, and GB18030 (with GBK and GB2312 inside it) are recognised; any other
is named by the user.
"""

from __future__ import annotations

import codecs
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from medner.core.characters import is_blank
from medner.core.errors import BadInputError
from medner.store.corpora.reading.format import Reading
from medner.store.corpora.reading.notes import Note
from medner.store.corpora.reading.read_options import NO_OPTIONS, ReadOptions

_TEXT_CONTROLS = frozenset("\t\n\r\f\v\x85")
_BLOCK = 1 << 20
#: The longest first, since UTF-32's mark begins like UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class TextEncoding:
    """The encoding of some bytes by Python's name for it, and what a user should know of the choice."""

    name: str
    note: Note | None = None

    @property
    def has_mark(self) -> bool:
        """Whether the bytes begin with the byte order mark of UTF-8."""
        return self.name == "utf-8-sig"


def recognised(data: bytes, named: str | None = None, *, complete: bool = True) -> TextEncoding | None:
    """The encoding of these bytes, None when it is none that is known; ``complete`` False: they may end in a character.

    A byte order mark decides, then ``named``, then UTF-8, then GB18030. Bytes that are UTF-8 with Chinese characters
    in it are UTF-8 whatever is named: a folder may hold files of both kinds, and such bytes read as another encoding
    give characters without a sense.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return TextEncoding(name, None if name == "utf-8-sig" else Note.UTF16_FILE)
    text = _decoded(data, "utf-8", complete=complete)
    if named is not None and codecs.lookup(named).name not in ("utf-8", "utf-8-sig"):
        return TextEncoding("utf-8", Note.UTF8_FILE) if text and _has_chinese(text) else TextEncoding(named)
    if text is not None:
        return TextEncoding("utf-8")
    text = _decoded(data, "gb18030", complete=complete)
    if text is not None and _is_plausible(text) and not _is_damaged_utf8(data):
        return TextEncoding("gb18030", Note.GB18030)
    return None


def decode_text(data: bytes, path: Path, options: ReadOptions = NO_OPTIONS) -> tuple[str, TextEncoding]:
    """The text of a whole file without a byte order mark, and its encoding.

    BadInputError when it is empty, binary, or in no encoding that is known.
    """
    encoding = recognised(data, options.encoding)
    refuse_binary(data, path, options)
    if encoding is None and _is_damaged_utf8(data):
        line = data.decode("utf-8", "replace").partition("\ufffd")[0].count("\n") + 1
        raise BadInputError("bytes that are not UTF-8, in a file that else is", path=path, line=line)
    if encoding is None:
        raise BadInputError(
            "neither UTF-8 nor GB18030 text; a binary file? (a text in another encoding: --encoding NAME)", path=path
        )
    try:
        text = data.decode(encoding.name)
    except ValueError as error:
        raise BadInputError(f"bytes that are not {encoding.name} (--encoding)", path=path) from error
    if is_blank(text):
        raise BadInputError("the file is empty", path=path)
    return text, encoding


def refuse_binary(data: bytes, path: Path, options: ReadOptions = NO_OPTIONS) -> None:
    """BadInputError when these first bytes of a file are no text that any format is written in."""
    if b"\0" not in data or any(data.startswith(mark) for mark, _ in _MARKS):
        return
    if options.encoding is not None and codecs.lookup(options.encoding).name.startswith(("utf-16", "utf-32")):
        return
    if _alternates_with_zeros(data):
        raise BadInputError(
            "zero bytes; UTF-16 without a byte order mark? Then say --encoding utf-16-le or utf-16-be", path=path
        )
    raise BadInputError("the file is binary, not text (it holds zero bytes)", path=path)


def head_text(data: bytes, options: ReadOptions = NO_OPTIONS) -> str:
    """The text of a file's first bytes without a byte order mark; what is in no known encoding is replaced."""
    encoding = recognised(data, options.encoding, complete=False)
    text = None if encoding is None else _decoded(data, encoding.name, complete=False)
    return data.decode("utf-8-sig", "replace") if text is None else text


def unicode_text(data: bytes, reading: Reading | None) -> str:
    """The text of a file of records, with its byte order mark where it is UTF-8.

    In a file that is in no known encoding, bytes that are not UTF-8 become lone surrogates, so that only their records
    are bad.
    """
    encoding = recognised(data, None if reading is None else reading.options.encoding)
    if encoding is None or encoding.name in ("utf-8", "utf-8-sig"):
        _note(reading, encoding)
        return data.decode("utf-8", "surrogateescape")
    try:
        text = data.decode(encoding.name)
    except ValueError as error:
        path = None if reading is None else reading.path
        raise BadInputError(f"bytes that are not {encoding.name} (--encoding)", path=path) from error
    _note(reading, encoding)
    return text


def is_streamable(path: Path, options: ReadOptions) -> bool:
    """Whether a file can be read line by line as bytes: it is UTF-8, and nothing else is said of it."""
    if options.encoding is not None:
        return False
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _note(reading: Reading | None, encoding: TextEncoding | None) -> None:
    if reading is not None and encoding is not None and encoding.note is not None:
        # The records of one file may be gone through twice.
        reading.notes[encoding.note] = 1


def _decoded(data: bytes, name: str, *, complete: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder(name)().decode(data, complete)
    except ValueError:
        return None


def _is_plausible(text: str) -> bool:
    """Whether text decoded from GB18030, which accepts most bytes, reads like text."""
    categories = [unicodedata.category(char) for char in text if char not in _TEXT_CONTROLS]
    return "Cc" not in categories and sum(kind in ("Co", "Cn") for kind in categories) * 100 <= len(categories)


def _is_damaged_utf8(data: bytes) -> bool:
    """Whether a line, or most of the bytes, are UTF-8 with Chinese characters, so that the others are damage."""
    lines = (_decoded(line, "utf-8", complete=True) for line in data.split(b"\n"))
    if any(line and _has_chinese(line) for line in lines):
        return True
    text = data.decode("utf-8", "replace")
    return sum(map(_is_chinese, text)) > text.count("\ufffd")


def _has_chinese(text: str) -> bool:
    return any(map(_is_chinese, text))


def _is_chinese(char: str) -> bool:
    return "\u3000" <= char <= "\u9fff" or "\uff00" <= char <= "\uffef"


def _alternates_with_zeros(data: bytes) -> bool:
    """Whether these bytes look like UTF-16: ASCII characters of it, and line ends, have a zero byte at their side."""
    even, odd = data[::2].count(0), data[1::2].count(0)
    return min(even, odd) == 0 and max(even, odd) * 50 >= len(data)
