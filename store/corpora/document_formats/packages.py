"""Zip archives and XML that come from elsewhere, read with limits: neither may take all memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from medner.core.errors import BadInputError
from medner.store.corpora.document_formats.extra import library

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: Bytes of XML that are read of one file or one part of a package, unpacked: some 1,000 pages.
MOST_XML_BYTES = 32 << 20
_ZIP_ERRORS = (BadZipFile, EOFError, KeyError, NotImplementedError, OSError, RuntimeError, ValueError)


class Package:
    """The parts of an open archive."""

    def __init__(self, archive: ZipFile, path: Path) -> None:
        self._archive = archive
        self._path = path
        self._left = MOST_XML_BYTES
        self.names = frozenset(archive.namelist())

    def xml(self, name: str) -> Element | None:
        """The root of a part, None where there is none. BadInputError for one that is too large, or no XML."""
        if name not in self.names:
            return None
        try:
            with self._archive.open(name) as part:
                # What the archive states as the size may be a lie.
                data = part.read(self._left + 1)
        except Exception as error:
            # What a damaged archive raises can be anything, zlib's own errors among them.
            raise damaged(self._path, f"{name}: {error}") from error
        if len(data) > self._left:
            raise _too_large(self._path)
        self._left -= len(data)
        return parsed_xml(data, self._path, name)


@contextmanager
def open_package(path: Path) -> Iterator[Package]:
    """The archive at a path. BadInputError where it is none."""
    try:
        archive = ZipFile(path)
    except _ZIP_ERRORS as error:
        raise damaged(path, str(error)) from error
    with archive:
        yield Package(archive, path)


def damaged(path: Path, why: str) -> BadInputError:
    """The error for an archive that cannot be read."""
    return BadInputError(
        f"cannot be read as a Word document ({why}); it is cut off or damaged: open it in Word or WPS and save it "
        "again as .docx, without a password",
        path=path,
    )


def package_names(path: Path) -> frozenset[str]:
    """The names of the parts of an archive; none where it is no archive."""
    try:
        with ZipFile(path) as archive:
            return frozenset(archive.namelist())
    except _ZIP_ERRORS:
        return frozenset()


def parsed_xml(data: str | bytes, path: Path, name: str = "") -> Element:
    """The root of some XML. BadInputError for one that is too large, declares entities or a DTD, or is broken."""
    where = f"{name}: " if name else ""
    if len(data) > MOST_XML_BYTES:
        raise _too_large(path)
    trees = library("defusedxml.ElementTree", "Word and CDA files")
    forbidden = library("defusedxml", "Word and CDA files").DefusedXmlException
    try:
        root: Element = trees.fromstring(data, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except forbidden as error:
        raise BadInputError(
            f"{where}the XML declares a document type or entities, which medner does not read: they can be an attack; "
            "take the declaration out",
            path=path,
        ) from error
    except (trees.ParseError, ValueError) as error:
        raise BadInputError(f"{where}not well-formed XML: {error}", path=path) from error
    return root


def _too_large(path: Path) -> BadInputError:
    return BadInputError(
        f"more than {MOST_XML_BYTES >> 20} MB of XML when unpacked, which no document of a hospital has; cut the file",
        path=path,
    )


def local_name(element: Element) -> str:
    """The name of an element without its namespace."""
    # Comments have no name.
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
