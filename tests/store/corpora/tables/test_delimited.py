"""CSV and TSV as hospitals export them: encodings, delimiters, quotation marks, broken rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.core.errors import BadInputError
from tests.store.corpora.tables.tables_kit import HEADER, Reader, write_table

ROWS = [(f"{number:03}", "呼吸科", f"患者咳嗽{number}天，一侧胸痛。") for number in range(1, 40)]


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", "read as a table in UTF-8; delimiter: a comma"),
        ("utf-8-sig", "UTF-8 with a byte order mark"),
        ("gb18030", "GB18030, not UTF-8 (recognised by its bytes; if the texts look wrong: --encoding NAME)"),
        ("gbk", "GB18030, not UTF-8"),
        ("utf-16", "UTF-16 (recognised by its byte order mark)"),
        ("utf-16-le", "UTF-16-LE without a byte order mark"),
        ("utf-16-be", "UTF-16-BE without a byte order mark"),
        ("utf-32", "UTF-32 (recognised by its byte order mark)"),
    ],
)
@pytest.mark.parametrize("count", [1, 39])
def test_the_encoding_is_recognised_and_told(encoding: str, told: str, count: int, tmp_path: Path) -> None:
    """Once a file; the first column has its name without the byte order mark."""
    reader = Reader()
    found = reader.read(write_table(tmp_path / "病历.csv", ROWS[:count], encoding=encoding))
    assert [(one.id, one.text) for one in found] == [(row[0], row[2]) for row in ROWS[:count]]
    assert [told in line for line in reader.told] == [True]


def test_gb18030_behind_a_long_beginning_of_ascii(tmp_path: Path) -> None:
    """What decides are the bytes that are not UTF-8, wherever they begin."""
    rows = [(f"{number}", "x" * 400, "no text in Chinese") for number in range(5_000)]
    path = write_table(
        tmp_path / "a.csv", [*rows, ("last", "", "胸痛三天。")], header=("n", "w", "t"), encoding="gb18030"
    )
    assert Reader().read(path, text_key="t", id_key="n")[-1].text == "胸痛三天。"


def test_another_encoding_is_named_by_the_user(tmp_path: Path) -> None:
    """Big5 is not taken for GB18030, which takes its bytes too; UTF-8 stays UTF-8 whatever is named."""
    rows = [("1", "內科", "病患咳嗽三天，右下肺濕囉音，胸悶氣促。"), ("2", "外科", "發燒兩日，頭痛。")]
    path = write_table(tmp_path / "a.csv", rows, header=("病歷號", "科別", "主訴"), encoding="big5")
    with pytest.raises(BadInputError, match="name its encoding: --encoding NAME"):
        Reader().read(path, text_key="主訴", id_key="病歷號")
    assert len(Reader().read(path, text_key="主訴", id_key="病歷號", encoding="big5")) == 2
    reader = Reader()
    assert len(reader.read(write_table(tmp_path / "b.csv", ROWS), encoding="gbk")) == len(ROWS)
    assert "UTF-8, although --encoding names gbk" in reader.told[0]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_damaged_bytes_cost_their_row(encoding: str, tmp_path: Path) -> None:
    """In a column that is not used they cost nothing."""
    path = write_table(tmp_path / "a.csv", ROWS, encoding=encoding)
    lines = path.read_bytes().split(b"\r\n")
    lines[3] = lines[3].replace("咳嗽".encode(encoding), b"\xff\xff")
    lines[5] = lines[5].replace("呼吸".encode(encoding), b"\xff\xff")
    path.write_bytes(b"\r\n".join(lines))
    reader = Reader()
    assert len(reader.read(path)) == len(ROWS) - 1
    assert reader.bad == ["row 4 [主诉]: bytes that are not in the file's encoding (another encoding: --encoding NAME)"]


@pytest.mark.parametrize("mark", [",", "\t", ";", "|", "\x01"])
def test_the_delimiter_is_recognised(mark: str, tmp_path: Path) -> None:
    """Also where the texts hold the others."""
    path = tmp_path / "病历.csv"
    texts = [f'"患者咳嗽;{number}天,胸痛|无发热\t。"' for number in range(9)]
    lines = [mark.join(HEADER), *(mark.join((str(number), "内科", text)) for number, text in enumerate(texts))]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert [one.text for one in Reader().read(path)] == [text.strip('"') for text in texts]


def test_a_delimiter_that_is_named_and_one_that_excel_wrote(tmp_path: Path) -> None:
    """A character of the user's; the line sep=; that Excel reads."""
    path = tmp_path / "a.csv"
    path.write_text("住院号~主诉\n1~胸痛\n", encoding="utf-8")
    assert [one.text for one in Reader().read(path, delimiter="~")] == ["胸痛"]
    path.write_text("sep=;\n住院号;主诉\n1;胸痛,咳嗽\n", encoding="utf-8")
    assert [one.text for one in Reader().read(path)] == ["胸痛,咳嗽"]


def test_a_table_of_one_column(tmp_path: Path) -> None:
    """Has no delimiter, and is a table by its name."""
    path = tmp_path / "a.csv"
    path.write_text("主诉\n胸痛\n咳嗽\n", encoding="utf-8")
    assert [one.text for one in Reader().read(path, id_key=None)] == ["胸痛", "咳嗽"]


def test_broken_rows_are_named_and_the_others_read(tmp_path: Path) -> None:
    """Too few fields, too many, quotation marks that do not fit: each with its row; the rows after them are right."""
    path = tmp_path / "病历.csv"
    path.write_text(
        '住院号,科室,主诉\n1,内科\n2,内科,胸痛,咳嗽\n3,内科,"胸痛"三天\n4,内科,头痛\n5,内科,恶心,,\n6,内科,"没有结束\n',
        encoding="utf-8",
    )
    reader = Reader()
    assert [one.id for one in reader.read(path)] == ["4", "5"]
    assert [line.partition(";")[0].partition(":")[0] for line in reader.bad] == ["row 2", "row 3", "row 4", "row 7"]
    assert "2 fields, but there are 3 columns" in reader.bad[0]
    assert "4 fields, but there are 3 columns" in reader.bad[1]
    assert "line 4 of the file" in reader.bad[2]
    assert "line 7 of the file" in reader.bad[3]
    with pytest.raises(BadInputError, match="row 2"):
        reader.read(path, skip_bad=False)


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty"), (b"\r\n\r\n", "empty"), (bytes(300), "binary")])
def test_files_without_a_table(content: bytes, reason: str, tmp_path: Path) -> None:
    """Are refused."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=reason):
        Reader().read(path)
