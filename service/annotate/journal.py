"""The journal of a run: every finished sentence is on disk before the run goes on, so that a stop costs nothing.

A file of JSON lines beside the output: headers (what the run is; the last one counts) and finished sentences, each
with its annotation. A sentence is known by its text: the same text under the same fingerprint has the same answer,
wherever it stands. A last line that was torn by a crash is cut off when the journal is opened again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from medner.core.errors import ExternalError, UserError
from medner.core.files.locks import exclusive
from medner.core.records import Annotation, Sentence

_FORMAT = 1
_HEAD = b'{"medner_journal": '
_ANNOTATION = TypeAdapter(Annotation)


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What a run is: the fingerprint of its configuration, and the hash of every input."""

    fingerprint: str
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a sentence's line stands in the journal."""

    offset: int
    length: int


class Journal:
    """Finished sentences by their text. Only the places of the lines are in memory.

    Made by :func:`open_journal`. ``resumed`` counts the sentences it held then; ``inputs_changed`` says whether they
    come from other inputs.
    """

    def __init__(self, path: Path, *, write: Callable[[int, bytes], int] = os.write) -> None:
        self.path = path
        self.resumed = 0
        self.inputs_changed = False
        self._write = write
        self._places: dict[bytes, _Place] = {}
        self._pending: list[tuple[bytes, bytes]] = []
        self._turn = asyncio.Lock()
        self._disk = threading.Lock()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._end = 0
        self._begun = False
        self._closed = False

    def __len__(self) -> int:
        return len(self._places)

    def begin(self, identity: RunIdentity, *, restart: bool = False) -> None:
        """Reads what is there and makes sure it belongs to this run; UserError when it does not.

        ``restart`` drops what is there, if it is a journal.
        """
        self._check_ours()
        if restart:
            os.ftruncate(self._descriptor, 0)
        header = self._load()
        if header is not None and header["fingerprint"] != identity.fingerprint:
            raise UserError(
                f"{self.path}: {len(self)} finished sentences of a run with another configuration (labels, model, "
                "taggers, filter, judge, adapters or version) are here. Continue with the options of that run, or "
                "drop its sentences with --restart"
            )
        self._begun = True
        inputs = dict(identity.inputs)
        self.resumed = len(self)
        self.inputs_changed = header is not None and header["inputs"] != inputs
        if header is None or self.inputs_changed:
            record = {"medner_journal": _FORMAT, "fingerprint": identity.fingerprint, "inputs": inputs}
            self._append(_line(record))

    def known(self, sentence: Sentence) -> Annotation | None:
        """The annotation of a finished sentence with this text, as one of ``sentence``."""
        place = self._places.get(_key(sentence.text))
        if place is None:
            return None
        data = os.pread(self._descriptor, place.length, place.offset)
        return replace(_ANNOTATION.validate_python(json.loads(data)["annotation"]), sentence=sentence)

    async def add(self, annotation: Annotation) -> None:
        """Puts a finished sentence on disk; sentences that end together share one write and one flush.

        ExternalError when the disk refuses; what was written before stays good.
        """
        record = {"annotation": _ANNOTATION.dump_python(annotation, mode="json")}
        self._pending.append((_key(annotation.sentence.text), _line(record)))
        async with self._turn:
            if self._pending:
                batch, self._pending = self._pending, []
                await asyncio.to_thread(self._append_all, batch)

    def close(self) -> None:
        """Ends the use of the file, after a write under way. A journal of this run without a sentence does not stay."""
        with self._disk:
            self._closed = True
            os.close(self._descriptor)
            if self._begun and not self._places:
                self.remove()

    def remove(self) -> None:
        """Takes the journal off the disk: its sentences are in the output, or there are none."""
        self.path.unlink(missing_ok=True)

    def _append_all(self, batch: list[tuple[bytes, bytes]]) -> None:
        with self._disk:
            if self._closed:
                return
            at = self._end
            self._append(b"".join(line for _, line in batch))
            for key, line in batch:
                self._places[key] = _Place(at, len(line))
                at += len(line)

    def _append(self, data: bytes) -> None:
        try:
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            left = memoryview(data)
            while left:
                left = left[self._write(self._descriptor, bytes(left)) :]
            os.fsync(self._descriptor)
        except OSError as error:
            # Half a line must not stay: it would be there when the disk has room again.
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
            raise ExternalError(
                f"{self.path}: cannot be written: {error.strerror}; its {len(self)} finished sentences are kept"
            ) from error
        self._end += len(data)

    def _check_ours(self) -> None:
        """UserError when the file begins like something else than a journal, whole or torn."""
        with self.path.open("rb") as file:
            head = file.read(len(_HEAD))
        if not _HEAD.startswith(head):
            raise UserError(f"{self.path}: is not a journal of medner; move it away, it would be written over")

    def _load(self) -> dict[str, Any] | None:
        """The last header, after noting the place of every sentence and cutting off what a crash tore."""
        header: dict[str, Any] | None = None
        with self.path.open("rb") as file:
            for line in file:
                try:
                    record = json.loads(line) if line.endswith(b"\n") else None
                    if record is None:
                        break
                    if "medner_journal" in record:
                        header = _checked_header(record, self.path)
                    else:
                        annotation = _ANNOTATION.validate_python(record["annotation"])
                        self._places[_key(annotation.sentence.text)] = _Place(self._end, len(line))
                except (ValueError, KeyError, TypeError):
                    break
                self._end += len(line)
        os.ftruncate(self._descriptor, self._end)
        return header


@contextmanager
def open_journal(
    output: Path, identity: RunIdentity, *, restart: bool = False, write: Callable[[int, bytes], int] = os.write
) -> Iterator[Journal]:
    """The journal of the run that writes ``output``, held by this process alone.

    ``restart`` drops what an earlier run left. A journal without a sentence does not stay. UserError when another
    process has it, when it belongs to another configuration, or when it is no journal.
    """
    path = journal_path(output)
    if not path.parent.is_dir():
        raise UserError(f"{output}: cannot be written: there is no folder {path.parent}")

    def busy() -> None:
        raise UserError(f"{output}: another medner annotate is writing it; wait for it, or name another output")

    with exclusive(path, busy):
        if not path.exists():
            busy()
        journal = Journal(path, write=write)
        try:
            journal.begin(identity, restart=restart)
            yield journal
        finally:
            journal.close()


def journal_path(output: Path) -> Path:
    """Where the journal of a run that writes ``output`` lies."""
    return output.with_name(output.name + ".journal")


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode("utf-8") + b"\n"


def _checked_header(record: dict[str, Any], path: Path) -> dict[str, Any]:
    if record["medner_journal"] != _FORMAT:
        raise UserError(f"{path}: a journal of another version of medner; drop its sentences with --restart")
    return {"fingerprint": str(record["fingerprint"]), "inputs": dict(record["inputs"])}
