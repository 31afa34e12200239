"""What a source of models is: one Protocol, one small module an implementation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from medner.store.models.catalogue import CatalogueEntry
from medner.store.models.progress import Report

TOKENIZER_BYTES = 40_000_000  # what configuration and tokenizer of a large vocabulary take beside the weights


class WeightsLayout(StrEnum):
    """How fetched weights lie on disk."""

    GGUF = "gguf"  # one file, to be converted
    SAFETENSORS = "safetensors"  # a folder transformers can load as it is


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a source brought. ``path`` is a file or a folder, as ``layout`` says.

    ``expected_sha256`` is of a GGUF file, ``expected`` of the files of a folder, where the source or the catalogue
    knows them. ``owned`` says that ``path`` lies in the workspace and may be moved; otherwise it is the user's.
    """

    layout: WeightsLayout
    path: Path
    origin: str
    revision: str = ""
    expected_sha256: str = ""
    expected: Mapping[str, str] = field(default_factory=dict)
    owned: bool = True


class ModelSource(Protocol):
    """Somewhere models come from."""

    @property
    def name(self) -> str:
        """The word for `--source`."""

    def size(self, entry: CatalogueEntry) -> int | None:
        """The bytes it would bring for this model; None when it does not have it."""

    def peak(self, entry: CatalogueEntry) -> int:
        """The bytes of disk a pull needs at its fullest moment, conversion included."""

    def fetch(self, entry: CatalogueEntry, workspace: Path, report: Report) -> Fetched:
        """Brings the model into ``workspace``, going on where an earlier call stopped.

        Raises ExternalError when something outside failed, UserError when the user must change something.
        """
