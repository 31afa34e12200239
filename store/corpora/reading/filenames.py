"""Document ids as file names, and back."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from medner.core.files.paths import readable_path

_UNSAFE = re.compile(r"^\.|\A\Z|[%/\\:*?\"<>|\x00-\x1f\x7f]")


def file_stem(id: str) -> str:  # noqa: A002
    """The id as a file name that stays in its folder: unsafe characters are percent-encoded."""
    return _UNSAFE.sub(lambda match: f"%{ord(match[0]):02X}" if match[0] else "%", id)


def document_id(path: Path, folder: Path | None) -> str:
    """The id of a document in a file: its name without the suffix, below ``folder`` with the folders on the way."""
    relative = path.relative_to(folder) if folder else Path(path.name)
    stem = readable_path(relative.with_suffix("").as_posix())
    return "" if stem == "%" else unquote(stem, errors="strict") if _is_encoded(stem) else stem


def _is_encoded(stem: str) -> bool:
    """Whether the percent signs are ours: a name somebody else gave may hold them bare."""
    try:
        return all(
            file_stem(part) == part or file_stem(unquote(part, errors="strict")) == part for part in stem.split("/")
        )
    except UnicodeDecodeError:
        return False
