"""Encodings, and offsets that count something else than characters."""

from __future__ import annotations

import pytest

from medner.core.errors import BadInputError, UserError
from medner.store.corpora import Note, ReadOptions, read_documents
from tests.cases.text_kit import Make, found


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-16-le", "big5", "utf-8"])
def test_encodings_are_named_or_found(make: Make, encoding: str) -> None:
    """--encoding is used for whatever file; UTF-8 with Chinese in it stays UTF-8, and that is noted."""
    path = make("患者咳嗽。".encode(encoding))
    assert found(path, encoding=encoding) == ("text", [("患者咳嗽。", [])])
    plain = make("患者咳嗽。", "y.txt")
    reading = read_documents(plain, options=ReadOptions(encoding="big5"))
    assert [one.text for one in reading] == ["患者咳嗽。"]
    assert reading.notes[Note.UTF8_FILE] == 1


def test_an_encoding_that_does_not_fit_is_said(make: Make) -> None:
    """The message names the encoding; what is in none that is known names the option."""
    with pytest.raises(BadInputError, match="ascii"):
        found(make("患者".encode("gb18030")), encoding="ascii")
    with pytest.raises(BadInputError, match="--encoding"):
        found(make("患兒咳嗽三天，發熱。".encode("big5")))
    with pytest.raises(BadInputError, match="utf-16-le"):
        found(make("患者咳嗽\n".encode("utf-16-le")))
    with pytest.raises(UserError, match="--encoding"):
        found(make("患者"), encoding="gb99")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("counted", ["text", "lf", "mark", "utf16", "lf and mark"])
def test_brat_offsets_of_other_tools_are_turned(make: Make, mark: str, counted: str) -> None:
    """Offsets that count CR LF as one, the byte order mark, or UTF-16 units are known by the entities' strings."""
    text = "主诉：\r\n咳嗽😀，\r\n胸痛。"
    seen = mark + text if "mark" in counted else text
    seen = seen.replace("\r\n", "\n") if "lf" in counted else seen
    lines = []
    for number, word in enumerate(("咳嗽", "胸痛"), 1):
        start = seen.index(word)
        if counted == "utf16":
            start = len(seen[:start].encode("utf-16-le")) // 2
        lines.append(f"T{number}\tsym {start} {start + 2}\t{word}\r\n")
    make(mark + text, "a.txt")
    ann = make(mark + "".join(lines), "a.ann")
    assert found(ann) == ("brat", [(text, [("咳嗽", "sym"), ("胸痛", "sym")])])


def test_brat_strings_that_are_nowhere_stay_errors(make: Make) -> None:
    """Turning offsets needs nearly all strings to fit; an .ann file that does not belong to its text is refused."""
    make("主诉：\r\n咳嗽，胸痛。", "a.txt")
    with pytest.raises(BadInputError, match="said to be"):
        found(make("T1\tsym 0 2\t咳嗽\nT2\tsym 1 3\t胸痛\n", "a.ann"))
