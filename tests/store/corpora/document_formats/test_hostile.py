"""Files that attack, lie about what they are, or are broken: a clear error, soon, in little memory."""

from __future__ import annotations

import resource
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from medner.core.errors import BadInputError, UserError
from medner.store.corpora import read_documents
from medner.store.corpora.document_formats import extra
from tests.store.corpora.document_formats.document_kit import W, cda, pdf_file, reading_of, with_part, word_file

Make = Callable[..., Path]
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1 if n > 1 else str()};" * 10}">' for n in range(1, 10))
    + "]>"
)


def test_entities_and_document_types_are_refused(make: Make, tmp_path: Path) -> None:
    """A billion laughs, a file of this machine: not expanded, not opened, in CDA and in Word."""
    outside = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    for before in (LAUGHS, outside, '<?xml version="1.0"?><!DOCTYPE x>'):
        with pytest.raises(BadInputError, match="declares a document type or entities"):
            reading_of(make(cda("<component/>", before=before), "a.xml"))
    path = word_file(tmp_path / "a.docx")
    with_part(path, "word/document.xml", f"{LAUGHS}<w:document {W}><w:body/></w:document>", replace=True)
    with pytest.raises(BadInputError, match=r"word/document\.xml: the XML declares"):
        reading_of(path)


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """Reading stops at the limit, whatever size the archive states."""
    path = tmp_path / "a.docx"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("word/document.xml", "w") as part:
        part.write(f"<w:document {W}><w:body>".encode())
        for _ in range(200):
            part.write(b" " * (1 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(BadInputError, match="more than 32 MB of XML when unpacked"):
        reading_of(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 << 10


def test_many_parts_share_one_limit(tmp_path: Path) -> None:
    """Headers of some megabytes each do not add up to more."""
    path = word_file(tmp_path / "a.docx")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(100, 120):
            archive.writestr(f"word/header{number}.xml", f"<w:hdr {W}>" + " " * (2 << 20) + "</w:hdr>")
    with pytest.raises(BadInputError, match="more than 32 MB of XML"):
        reading_of(path)


def test_endless_nesting_is_an_error(make: Make, tmp_path: Path) -> None:
    """Neither Word nor CDA exhausts the stack."""
    deep = "<w:sdt><w:sdtContent>" * 20_000 + "</w:sdtContent></w:sdt>" * 20_000
    path = word_file(tmp_path / "a.docx")
    with_part(path, "word/document.xml", f"<w:document {W}><w:body>{deep}</w:body></w:document>", replace=True)
    with pytest.raises(BadInputError, match="too deep"):
        reading_of(path)
    sections = "<component><section>" * 20_000 + "</section></component>" * 20_000
    with pytest.raises(BadInputError, match="too deep"):
        reading_of(make(cda(sections), "a.xml"))


def test_the_content_says_what_a_file_is(tmp_path: Path) -> None:
    """A PDF that is called .docx is read as a PDF, a Word document called .pdf or .txt as one."""
    pdf = pdf_file(tmp_path / "a.docx", [["诊断：肺炎。"]])
    assert reading_of(pdf)[1].format.name == "pdf"
    for name in ("b.pdf", "b.txt", "b"):
        assert reading_of(word_file(tmp_path / name))[1].format.name == "docx"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.docx", b"PK\x03\x04\x14\x00\x06" + bytes(50), "cannot be read as a Word document"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50), "of an old form, or one with a password"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50), "save it as .docx"),
        ("a.pdf", b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n", "cut off"),
        ("a.xml", b"<ClinicalDocument><component>", "not well-formed XML"),
        ("a.xml", "<ClinicalDocument><title>咳嗽</title></ClinicalDocument>".encode(), "holds no text"),
        ("a.xml", "<note><p>咳嗽</p></note>".encode(), "XML, which is not read here"),
    ],
)
def test_broken_files_say_what_is_wrong(name: str, data: bytes, reason: str, make: Make) -> None:
    """One line with the reason and the way out."""
    path = make(data, name)
    with pytest.raises(BadInputError, match=reason) as caught:
        reading_of(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_truncated_word_document_is_told(tmp_path: Path) -> None:
    """Half a file has no directory, and is no document."""
    path = word_file(tmp_path / "a.docx")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(BadInputError, match="cut off or damaged"):
        reading_of(path)


def test_bad_files_are_skipped_where_the_user_says_so(tmp_path: Path) -> None:
    """A bad document is a bad record; nothing of it is read."""
    from medner.store.corpora import BadRecords

    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.4\n")
    bad = BadRecords()
    assert list(read_documents(path, skip_bad=bad)) == []
    assert ["cut off" in one.reason for one in bad] == [True]


def test_a_missing_library_names_the_extra() -> None:
    """The error is the command that installs it."""
    with pytest.raises(
        UserError, match=r"no_such_library is missing: PDF files need pip install 'medner\[documents\]'"
    ):
        extra.library("no_such_library", "PDF files")
