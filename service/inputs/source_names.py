"""Files to read, each with a name that no other has: documents of two files never get one id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from medner.core.files.paths import percent_encoded, readable_path
from medner.store.corpora.reading.filenames import document_id
from medner.store.corpora.text_formats.ccks2017 import table_of, text_of

#: Formats that hold one document a file: its id is the file's name, below the folder that was given.
NAMED_BY_FILE = ("text", "brat", "ccks2017", "webanno-tsv", "cas-json", "cas-xmi", "docx", "pdf", "cda")
#: Files whose name becomes the id of their one document.
_TEXTS = (".txt", ".text", ".md", ".tsv", ".xmi", "", ".docx", ".docm", ".pdf", ".xml")


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file to read. ``folder`` is the input folder it was found in; ``shown`` is what messages call it.

    ``id`` is that of its document where the file is one; ``stem`` begins the ids of records without an id.
    ``database`` is the address where it is a database in place of a file.
    """

    path: Path
    shown: str
    folder: Path | None = None
    id: str = ""
    stem: str = ""
    # May hold a password.
    database: str = field(default="", repr=False)

    @property
    def short_id(self) -> str:
        """The id of its document as long as no other has it."""
        return document_id(table_of(self.path), self.folder)

    def name(self, path: str | None) -> str:
        """What messages call a path that a reader named: the source itself as the user knows it."""
        return self.shown if path in (None, str(self.path), readable_path(self.path)) else str(path)


def with_distinct_names(sources: Sequence[InputFile]) -> list[InputFile]:
    """The sources with ids and stems. Names that are alike get their suffix, or as many folders as tell them apart.

    ``01`` of the folders ``a`` and ``b`` become ``a/01`` and ``b/01``; ``note.txt`` beside ``note.md`` keeps its
    suffix. Names that are alike nowhere stay as short as they are.
    """
    ids = _distinct(sources, lambda source: source.short_id)
    stems = _distinct(sources, lambda source: readable_path(source.path.stem))
    return [replace(source, id=ids[source], stem=stems[source]) for source in sources]


def without_paired_texts(sources: Sequence[InputFile]) -> list[InputFile]:
    """The sources without the texts whose annotation tables (CCKS2017) are among them: the two are read as one."""
    paired = {text for source in sources if (text := text_of(source.path)) not in (None, source.path)}
    return [source for source in sources if source.path not in paired]


def _distinct(sources: Sequence[InputFile], short: Callable[[InputFile], str]) -> dict[InputFile, str]:
    """A name a source. Texts and other files do not share names, as their documents' ids are made differently."""
    names: dict[InputFile, str] = {}
    for is_text in (True, False):
        alike = [one for one in sources if (one.path.suffix.lower() in _TEXTS) is is_text]
        names |= _told_apart(alike, {one: short(one) for one in alike})
    return names


def _told_apart(sources: Sequence[InputFile], short: dict[InputFile, str]) -> dict[InputFile, str]:
    parents = {one: (one.folder or one.path.parent).absolute() for one in sources}
    beside = Counter((one.path.parent.absolute(), short[one]) for one in sources)
    for one in sources:
        if beside[one.path.parent.absolute(), short[one]] > 1:
            short[one] += readable_path(one.path.suffix)
    alike = Counter(short.values())
    for one in sources:
        # One name in two encodings.
        if alike[short[one]] > 1 and readable_path(one.path.name) != one.path.name:
            short[one] = percent_encoded(one.path.stem)
    steps = dict.fromkeys(sources, 0)
    while True:
        names = {one: _with_folders(short[one], parents[one], steps[one]) for one in sources}
        counts = Counter(names.values())
        longer = [one for one in sources if counts[names[one]] > 1 and steps[one] < len(parents[one].parts) - 1]
        if not longer:
            return names
        for one in longer:
            steps[one] += 1


def _with_folders(name: str, folder: Path, steps: int) -> str:
    parts = folder.parts[len(folder.parts) - steps :] if steps else ()
    return "/".join((*map(readable_path, parts), name))
