"""Files that look like documents or annotations in a form that is not read here: what they are, and the way out."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from medner.core.characters import is_blank
from medner.core.errors import BadInputError
from medner.store.corpora.text_formats.tag_rows import tag_of

_AS_TEXT = "save its text as a .txt file (UTF-8), one a note"
_AS_STANDOFF = 'write it as JSON lines, {"text": "...", "entities": [{"start": 0, "end": 2, "label": "sym"}]} a line'
_ROWS = 2


@dataclass(frozen=True, slots=True)
class Foreign:
    """What a file is, with its article, and how its content gets here; ``may_be_note`` where that is guessed."""

    what: str
    way_out: str
    may_be_note: bool = False

    @property
    def is_table(self) -> bool:
        """Whether it is a table with delimiters, which is read where the user says so."""
        return self.way_out == _TABLE.way_out

    def error(self, path: Path) -> BadInputError:
        """The error for such a file."""
        after_all = "; if it is a note after all, name its format: text" if self.may_be_note else ""
        return BadInputError(f"{self.what}, which is not read here; {self.way_out}{after_all}", path=path)


_WORD = Foreign(
    "a Word document of an old form, or one with a password", "save it as .docx in Word or WPS, without a password"
)
_SHEET = Foreign("a spreadsheet of another form than .xlsx, or one with a password", "save it as .xlsx or CSV")
_TABLE = Foreign("a table", "say so, and name the column of the texts: --format csv --text-column NAME")
_RTF = Foreign("RTF", f"{_AS_TEXT} (pandoc -f rtf -t plain FILE -o FILE.txt)")
_HTML = Foreign("HTML", f"{_AS_TEXT} (pandoc -f html -t plain FILE -o FILE.txt)")
_XML = Foreign("XML", _AS_TEXT)

#: What a file that begins with these bytes is; a ZIP and an old Office file are named by their suffix.
_BYTES: tuple[tuple[bytes, Foreign], ...] = (
    (b"{\\rtf", _RTF),
    (b"\x1f\x8b", Foreign("a gzip archive", "unpack it (gunzip FILE)")),
    (b"BZh", Foreign("a bzip2 archive", "unpack it (bunzip2 FILE)")),
    (b"\xfd7zXZ\x00", Foreign("an xz archive", "unpack it (unxz FILE)")),
    (b"7z\xbc\xaf\x27\x1c", Foreign("a 7z archive", "unpack it")),
    (b"Rar!", Foreign("a RAR archive", "unpack it")),
    (b"\x89PNG", Foreign("an image", "its text must be recognised (OCR) and saved as a .txt file first")),
    (b"\xff\xd8\xff", Foreign("an image", "its text must be recognised (OCR) and saved as a .txt file first")),
)
_PACKED = (b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0")
_SUFFIXES: dict[str, Foreign] = {
    **dict.fromkeys((".doc", ".docx", ".docm", ".odt", ".wps"), _WORD),
    **dict.fromkeys((".xls", ".xlsx", ".xlsm", ".ods", ".et"), _SHEET),
    **dict.fromkeys((".htm", ".html", ".xhtml", ".mht"), _HTML),
    **dict.fromkeys((".xml", ".xmi"), _XML),
    ".rtf": _RTF,
    ".conllu": Foreign("CoNLL-U", "take its columns token and tag (cut -f 2,10 FILE > FILE.bio)"),
}


def foreign_bytes(data: bytes, path: Path) -> Foreign | None:
    """What a file is by its first bytes, where they are no text of any format that is read; else None."""
    for mark, foreign in _BYTES:
        if data.startswith(mark):
            return foreign
    if data.startswith(_PACKED):
        packed = Foreign("a ZIP archive or an Office document", f"unpack it, or {_AS_TEXT}")
        return _SUFFIXES.get(path.suffix.lower(), packed)
    return None


def foreign_suffix(path: Path) -> Foreign | None:
    """What a file is by its name alone."""
    return _SUFFIXES.get(path.suffix.lower())


def foreign_text(head: str) -> Foreign | None:
    """What a file is by its first characters, where they look like an export or an annotation that is not read."""
    lines = [line for line in head.splitlines() if not is_blank(line)]
    start = head.lstrip("\ufeff \t\r\n\x0b")
    found = next((foreign for foreign, looks in _EXPORTS if looks(start, lines)), None)
    if found is not None:
        return found
    likely = next((foreign for foreign, looks in _LIKELY if looks(start, lines)), None)
    return None if likely is None else replace(likely, may_be_note=True)


def _begins(pattern: str) -> Callable[[str, Sequence[str]], bool]:
    expression = re.compile(pattern, re.IGNORECASE)
    return lambda head, _: expression.match(head) is not None


def _is_xml(head: str, _: Sequence[str]) -> bool:
    return re.match(r"<\?xml\b|<([A-Za-z][\w.:-]*)(\s[^<>]*)?>.*</", head, re.DOTALL) is not None


def _is_rows(pattern: str) -> Callable[[str, Sequence[str]], bool]:
    """Whether nearly all lines are of this pattern."""
    expression = re.compile(pattern)
    return lambda _, lines: _nearly_all([expression.match(line) is not None for line in lines])


def _nearly_all(answers: Sequence[bool], least: int = 1) -> bool:
    return len(answers) >= least and sum(answers) * 10 >= len(answers) * 9


def _is_pipe_table(_: str, lines: Sequence[str]) -> bool:
    """Whether all lines have the same number of bars, as tables in Markdown and exports of databases have."""
    rows = [line.count("|") for line in lines if not re.fullmatch(r"[\s|+:-]+", line)]
    return len(lines) >= _ROWS and rows[:1] != [0] and len(set(rows)) == 1


#: Names of columns: a first line of them is the head of a table.
_COLUMNS = re.compile(
    r"(id|no|key|text|content|note|notes|label|labels|type|tag|entity|entities|start|end|name|sex|gender|age|date"
    r"|\w+_(id|no|text|name|type|date)|序号|编号|\w{0,6}(号|编码|代码|日期|时间|姓名|性别|年龄|科室|病历|文本|内容|正文|标签|类型|实体|诊断|主诉))",
    re.IGNORECASE,
)


def _is_headed_table(head: str, lines: Sequence[str]) -> bool:
    """Whether the first line names columns and the others have as many, parted by commas or tabs."""
    for mark in ("\t", ","):
        names = [name.strip().strip('"') for name in lines[0].split(mark)] if lines else []
        if len(names) < 2 or not any(map(_COLUMNS.fullmatch, names)):
            continue
        if any(len(name) > 20 or re.search(r"[。；：:，！？]", name) for name in names):
            continue
        rows = list(csv.reader(head.splitlines(keepends=True), delimiter=mark))[1:]
        if _nearly_all([len(row) == len(names) for row in rows if row]):
            return True
    return False


def _is_standoff(_: str, lines: Sequence[str]) -> bool:
    """Whether the lines are a table of entities: a string, where it begins and ends, its type."""
    return _nearly_all([any(_fits(*pair) for pair in _places(line)) for line in lines])


def _places(line: str) -> Iterator[tuple[list[str], int, int]]:
    columns = [column.strip() for column in re.split(r"\t|,|\s{2,}|\|+", line)]
    for number, (start, end) in enumerate(pairwise(columns)):
        if start.isdecimal() and end.isdecimal() and len(end) < 9:
            yield columns[:number] + columns[number + 2 :], int(start), int(end)


def _fits(others: list[str], start: int, end: int) -> bool:
    """Whether a column beside the two numbers is a string of that length, and another its type or a name."""
    words = [other for other in others if other and not other.isdecimal()]
    return len(words) >= _ROWS and any(len(word) in (end - start, end - start + 1) for word in words)


def _is_slashed(_: str, lines: Sequence[str]) -> bool:
    """Whether the text is tokens with their tags behind a slash: 咳/B-sym 嗽/I-sym."""
    tokens = [token for line in lines for token in line.split()]
    tags = [None if len(parts := token.rsplit("/", 1)) < 2 else tag_of(parts[1]) for token in tokens]
    return _nearly_all([tag is not None for tag in tags], least=3) and any(tag and tag.label for tag in tags)


def _is_tag_lines(_: str, lines: Sequence[str]) -> bool:
    """Whether there are lines of tags alone, as many as three in each, some of them of entities."""
    for line in lines:
        tags = [tag_of(word) for word in re.split(r"[\s\x02]+", line.rpartition("\t")[2].strip())]
        if len(tags) >= 3 and all(tags) and any(tag and tag.label for tag in tags):
            return True
    return False


def _is_marked_up(head: str, _: Sequence[str]) -> bool:
    """Whether entities stand between tags of their types in the text: <sym>咳嗽</sym>."""
    return re.search(r"<([A-Za-z_][\w-]*|[\u4e00-\u9fff]{2,8})(?: [^<>]*)?>[^<>]{1,60}</\1>", head) is not None


_Signs = tuple[tuple[Foreign, Callable[[str, Sequence[str]], bool]], ...]

#: What says itself what it is.
_EXPORTS: _Signs = (
    (
        Foreign("a WebAnno TSV file of another version than 3", "export it from INCEpTION as WebAnno TSV 3.3"),
        _begins(r"#FORMAT=WebAnno|#T_\w\w=|\d+-\d+\t\d+-\d+\t"),
    ),
    (
        Foreign("an HL7 v2 message", "take the text out of its OBX segments and " + _AS_TEXT),
        _begins(r"\W?(MSH|FHS|BHS)[|^]"),
    ),
    (_RTF, _begins(r"\{\\rtf")),
    (_HTML, _begins(r"<!doctype html|<(html|head|body|div|p|table|span|meta|br|ul|ol|h\d)\b")),
    (_XML, _is_xml),
    (
        Foreign("brat annotation", "give its text NAME.txt beside NAME.ann, and name either"),
        _is_rows(r"[TREAMN#*]\d*\t\S+ "),
    ),
    (Foreign("PubTator", _AS_STANDOFF), lambda head, _: re.match(r"\d+\|[ta]\|", head) is not None),
    (
        Foreign("CoNLL-U", "take its columns token and tag (cut -f 2,10 FILE > FILE.bio)"),
        _begins(r"# (newdoc|newpar|sent_id|text|global\.columns)\b"),
    ),
)

#: What a note could look like by chance.
_LIKELY: _Signs = (
    (
        Foreign("text with tags in it (<x>...</x>)", f"take them out, or where they mark entities {_AS_STANDOFF}"),
        _is_marked_up,
    ),
    (Foreign("tokens with tags behind a slash", "write a token, a tab and its tag a line"), _is_slashed),
    (Foreign("lines of tags", "write a token, a tab and its tag a line"), _is_tag_lines),
    (Foreign("a table of entities without its text", _AS_STANDOFF), _is_standoff),
    (Foreign("a table with bars", _TABLE.way_out), _is_pipe_table),
    (_TABLE, _is_headed_table),
)
