"""WebAnno TSV 3 (INCEpTION): a file a document, a row a token, offsets in UTF-16 units."""

from __future__ import annotations

import re

from medner.store.corpora.inception.files import one_a_file
from medner.store.corpora.inception.tsv_reading import understand
from medner.store.corpora.inception.tsv_writing import written

_SIGN = re.compile(r"#FORMAT=WebAnno TSV 3\.")


def looks_like_it(head: str) -> bool:
    """Whether a file that begins so is in this format."""
    return _SIGN.match(head.lstrip("\ufeff")) is not None


FORMAT = one_a_file(
    "webanno-tsv",
    "WebAnno TSV 3 (INCEpTION), one document a file",
    ".tsv",
    understand,
    written,
    expects="a span layer with the labels as a feature",
)
