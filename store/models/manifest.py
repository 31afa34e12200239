"""`medner-model.json`: what a model in the store is, where it came from, and the hashes of its files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medner.core.errors import BadInputError
from medner.core.validation import complaint

MANIFEST = "medner-model.json"


class FileRecord(BaseModel):
    """Size and SHA-256 of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    bytes: int
    sha256: str


class ModelManifest(BaseModel):
    """What `medner-model.json` holds; paths in ``files`` are relative to its folder.

    ``weights_sha256`` is of the GGUF file the weights were converted from, empty when there was none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    name: str
    licence: str
    source: str
    origin: str
    revision: str
    weights_sha256: str
    architecture: str
    dtype: str
    context: int | None
    created: datetime = Field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    versions: dict[str, str]
    files: dict[str, FileRecord]

    @property
    def total_bytes(self) -> int:
        """What the files take on disk."""
        return sum(file.bytes for file in self.files.values())

    def write(self, folder: Path) -> None:
        """Writes the manifest into a model's folder."""
        (folder / MANIFEST).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> ModelManifest:
    """The manifest of a model's folder; BadInputError when it is broken, OSError when there is none."""
    path = folder / MANIFEST
    try:
        return ModelManifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        reason, key = complaint(error)
        way_out = f"medner models remove {folder.name}, then medner models pull {folder.name}"
        raise BadInputError(f"{reason}; {way_out}", path=path, key=key) from error
