"""Writing documents in any format, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from medner.core.files.atomic import replacing_file, replacing_folder
from medner.core.labels import LabelSet
from medner.core.records import Document
from medner.store.corpora.reading.format import Layout, Writing
from medner.store.corpora.registry import format_named


def write_documents(
    documents: Iterable[Document],
    target: Path | str | TextIO,
    *,
    format: str,  # noqa: A002
    labels: LabelSet | None = None,
    layout: Layout | None = None,
) -> Writing:
    """What was written and what the format could not hold, after writing the documents to a path or a stream.

    A path is replaced only when everything is written. ``labels`` are needed where codes must become Chinese names.
    ``layout`` is the one a reading of the same format found, to write the file as it was. UserError for a label
    that is not in ``labels``, ExternalError when the disk refuses.
    """
    known = format_named(format)
    writing = Writing(labels, layout or Layout())
    counted = writing.count(documents)
    if not isinstance(target, (str, Path)):
        known.stream_writer()(counted, target, writing)
    elif known.write_folder is not None and known.goes_into_folder(Path(target)):
        with replacing_folder(Path(target)) as folder:
            known.write_folder(counted, folder, writing)
    else:
        write = known.stream_writer()
        with replacing_file(Path(target)) as out:
            write(counted, out, writing)
    writing.losses = +writing.losses
    return writing
