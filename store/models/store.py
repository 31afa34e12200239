"""The models on this machine: brought once, checked, converted, and found again without a network."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from pathlib import Path

from medner.core.errors import ExternalError, UserError
from medner.core.files.data_folder import data_folder
from medner.core.files.hashing import sha256_of
from medner.core.files.locks import exclusive
from medner.store.models.catalogue import NAME, Catalogue, CatalogueEntry, checked_name, shipped_catalogue
from medner.store.models.convert import Convert, convert_gguf
from medner.store.models.install import WORK, install, workspace_of
from medner.store.models.manifest import MANIFEST, ModelManifest, read_manifest
from medner.store.models.progress import Meter, PullProgress, PullStage, Report, silent
from medner.store.models.sources.all_sources import choose, default_sources, wanted_source
from medner.store.models.sources.source import Fetched, ModelSource


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model of the catalogue or of the store. ``manifest`` is None until it is here; sizes are bytes.

    ``offers`` are the sources that have it with what each would bring; ``unfinished_bytes`` wait from a broken pull.
    """

    entry: CatalogueEntry
    manifest: ModelManifest | None
    path: Path | None
    offers: tuple[tuple[str, int], ...]
    unfinished_bytes: int


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of a model's files found; ``problems`` is empty when all is well."""

    name: str
    path: Path
    files: int
    problems: tuple[str, ...]


def default_root() -> Path:
    """``$MEDNER_HOME/models``, else ``models`` in the user's data folder."""
    return data_folder() / "models"


class ModelStore:
    """Base models under ``root``, a folder each. The other arguments are seams: what sources there are, how a GGUF
    file is converted, how much of a disk is free."""

    def __init__(
        self,
        root: Path | None = None,
        *,
        catalogue: Catalogue | None = None,
        sources: Callable[[str | None], Sequence[ModelSource]] = default_sources,
        convert: Convert = convert_gguf,
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ):
        self.root = default_root() if root is None else root
        self._catalogue = catalogue or shipped_catalogue()
        self._sources, self._convert, self._free_bytes = sources, convert, free_bytes

    def has(self, name: str) -> bool:
        """Whether a model of this name is here; False for what cannot be a name."""
        return NAME.fullmatch(name) is not None and (self.root / name / MANIFEST).is_file()

    def path(self, name: str) -> Path:
        """The folder of a model, ready for ``from_pretrained(..., local_files_only=True)``; needs no network.

        UserError when it is not here; the message says how to get it.
        """
        folder = self.root / checked_name(name)
        if not (folder / MANIFEST).is_file():
            raise UserError(
                f"model {name!r} is not in {self.root}; get it with: medner models pull {name} "
                "(or give the folder of a model)"
            )
        return folder

    def list(self) -> tuple[ListedModel, ...]:
        """The catalogue's models in its order, then the store's others by name."""
        here = {folder.parent.name for folder in self.root.glob(f"[!.]*/{MANIFEST}")}
        others = sorted(here - {entry.name for entry in self._catalogue})
        sources = self._sources(None)
        entries = (*self._catalogue, *(CatalogueEntry(name) for name in others))
        return tuple(self._listed(entry, sources, entry.name in here) for entry in entries)

    def verify(self, name: str, progress: Report = silent) -> Verification:
        """Reads every file of a model again and compares it with the manifest; needs no network."""
        folder = self.path(name)
        manifest = read_manifest(folder)
        meter = Meter(progress, PullStage.CHECKING, total=manifest.total_bytes, detail=name)
        problems = []
        for file, record in manifest.files.items():
            if not (folder / file).is_file():
                problems.append(f"{file} is missing")
            elif sha256_of(folder / file, meter.advance) != record.sha256:
                problems.append(f"{file} is not what was installed (SHA-256 differs)")
        return Verification(name, folder, len(manifest.files), tuple(problems))

    def pull(
        self, name: str, source: str | None = None, progress: Report = silent, *, revision: str | None = None
    ) -> Path:
        """The model's folder, after bringing the model when it is not here yet.

        ``source`` is index, hub, modelscope or a path, None for MEDNER_MODEL_SOURCE or the default order;
        ``revision`` pins a commit of the hub or ModelScope. A second process that pulls the same model waits for the
        first. An interrupted pull leaves its bytes and goes on from them the next time.
        """
        folder = self.root / checked_name(name)
        if (folder / MANIFEST).is_file():
            return folder
        wanted, sources = wanted_source(source), self._sources(revision)
        known = self._catalogue.get(name)
        is_path = wanted is not None and wanted not in {each.name for each in sources}
        entry = known or (CatalogueEntry(name) if is_path else self._catalogue.find(name))
        with self._only_here(name, progress):
            if not (folder / MANIFEST).is_file():
                self._bring(entry, choose(entry, wanted, sources), progress)
        return folder

    def remove(self, name: str, progress: Report = silent) -> int:
        """Takes a model and what is left of unfinished pulls off the disk; gives the bytes freed."""
        folder, workspace = self.root / checked_name(name), self._workspace(name)
        if not folder.exists() and not workspace.exists():
            raise UserError(f"model {name!r} is not in {self.root}; medner models list shows what is")
        with self._only_here(name, progress):
            freed = tree_bytes(folder) + tree_bytes(workspace)
            if folder.exists():
                # A rename first: a half-deleted model must not look whole.
                workspace.mkdir(parents=True, exist_ok=True)
                folder.rename(workspace / "removed")
            shutil.rmtree(workspace, ignore_errors=True)
        return freed

    def _workspace(self, name: str) -> Path:
        return workspace_of(self.root / name)

    def _listed(self, entry: CatalogueEntry, sources: Sequence[ModelSource], here: bool) -> ListedModel:
        folder = self.root / entry.name
        sizes = ((source.name, source.size(entry)) for source in sources)
        return ListedModel(
            entry,
            read_manifest(folder) if here else None,
            folder if here else None,
            tuple((name, size) for name, size in sizes if size is not None),
            tree_bytes(self._workspace(entry.name)),
        )

    @contextmanager
    def _only_here(self, name: str, progress: Report) -> Iterator[None]:
        def waiting() -> None:
            progress(PullProgress(PullStage.WAITING, detail=f"another process is working on {name}"))

        try:
            with exclusive(self.root / WORK / f"{name}.lock", waiting):
                yield
        except OSError as error:
            if error.errno not in (ENOSPC, EDQUOT):
                raise
            raise ExternalError(
                f"the disk of {self.root} is full; what came so far is kept. Free some space (or choose another "
                "place with MEDNER_HOME) and give the same command again"
            ) from error

    def _bring(self, entry: CatalogueEntry, sources: Sequence[ModelSource], progress: Report) -> None:
        workspace = self._workspace(entry.name)
        workspace.mkdir(parents=True, exist_ok=True)
        source, fetched = self._fetch(entry, sources, workspace, progress)
        install(entry, source.name, fetched, self.root / entry.name, self._convert, progress)
        shutil.rmtree(workspace, ignore_errors=True)

    def _fetch(
        self, entry: CatalogueEntry, sources: Sequence[ModelSource], workspace: Path, progress: Report
    ) -> tuple[ModelSource, Fetched]:
        failures = []
        for source in sources:
            self._check_space(source, entry, workspace)
            try:
                return source, source.fetch(entry, workspace, progress)
            except (ExternalError, UserError) as error:
                if len(sources) == 1:
                    raise
                failures.append(f"{source.name}: {error}")
                progress(PullProgress(PullStage.REMARK, detail=failures[-1]))
        raise ExternalError(f"{entry.name} could not be had from any source. {' | '.join(failures)}")

    def _check_space(self, source: ModelSource, entry: CatalogueEntry, workspace: Path) -> None:
        needed = source.peak(entry) - tree_bytes(workspace)
        free = self._free_bytes(workspace)
        if free < needed:
            raise ExternalError(
                f"{entry.name} from {source.name} needs {needed / 1e9:.2f} GB of disk, {self.root} has "
                f"{free / 1e9:.2f} GB free. Free some space or choose another place with MEDNER_HOME"
            )


def tree_bytes(folder: Path) -> int:
    """The bytes of all files below a folder; 0 when there is none."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
