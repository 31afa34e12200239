"""The document of a text that was typed behind --text."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from medner.core.errors import UserError
from medner.core.records import Document
from medner.store.corpora.reading.encoding import decode_text

TEXT_OPTION = "--text"


def typed_document(text: str) -> tuple[Document, str]:
    """The document of a text that was typed, and the hash of its bytes. BadInputError where it is blank or binary."""
    data = _encoded(text)
    read, _ = decode_text(data, Path(TEXT_OPTION))
    return Document("text", read), hashlib.sha256(data).hexdigest()


def _encoded(text: str) -> bytes:
    try:
        # What a terminal of another encoding gave comes back as the bytes it was.
        return os.fsencode(text)
    except UnicodeEncodeError:
        pass
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError("--text: not UTF-8; set the terminal to UTF-8, or give the text as a file") from error
