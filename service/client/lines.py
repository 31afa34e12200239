"""Lines of streamed answers."""

from __future__ import annotations

from medner.core.errors import ExternalError, MednerError
from medner.core.records import AnnotatedDocument
from medner.store.corpora import line_to_annotated


def read_annotated(line: bytes) -> AnnotatedDocument:
    """The annotated document of a line. ExternalError for a line that is none."""
    try:
        return line_to_annotated(line.decode())
    except (MednerError, UnicodeDecodeError) as error:
        raise ExternalError(
            f"a line of the answer cannot be read: {error}; server and client may be of versions that do not fit"
        ) from error
