"""Models from the Hugging Face hub, or a mirror of it (``HF_ENDPOINT``; ``HF_TOKEN`` for gated models)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medner.core.errors import ExternalError, UserError
from medner.store.models.catalogue import CatalogueEntry, Repository
from medner.store.models.model_files import check_complete, is_taken
from medner.store.models.progress import Meter, PullStage, Report
from medner.store.models.sources.source import TOKENIZER_BYTES, Fetched, WeightsLayout


class Hub:
    """The Hugging Face hub; ``endpoint`` None means where huggingface_hub is configured to go."""

    name = "hub"

    def __init__(self, endpoint: str | None = None, *, revision: str | None = None):
        self._endpoint, self._revision = endpoint, revision

    def size(self, entry: CatalogueEntry) -> int | None:
        """The size of the weights."""
        return entry.hub.bytes if entry.hub else None

    def peak(self, entry: CatalogueEntry) -> int:
        """The weights, and a little for the tokenizer."""
        return (self.size(entry) or 0) + TOKENIZER_BYTES

    def fetch(self, entry: CatalogueEntry, workspace: Path, report: Report) -> Fetched:
        """A folder with safetensors weights, configuration and tokenizer, all of one commit."""
        if entry.hub is None:
            raise UserError(f"{entry.name} has no hub repository; take another source: medner models list")
        try:
            from huggingface_hub.errors import (  # noqa: PLC0415 heavy, and only in the local extra
                GatedRepoError,
                HfHubHTTPError,
                LocalEntryNotFoundError,
                OfflineModeIsEnabled,
            )
        except ImportError as error:
            raise UserError("the hub needs huggingface_hub: pip install 'medner[local]'") from error
        # The HTTP library below huggingface_hub changed between its versions; its root error is this base.
        transport_error: Any = HfHubHTTPError.__mro__[1]
        try:
            return self._fetch(entry.hub, workspace, report)
        except GatedRepoError as error:
            raise UserError(
                f"{entry.hub.repository} wants its licence accepted: do so on its page, then set HF_TOKEN"
            ) from error
        except OfflineModeIsEnabled as error:
            raise UserError("HF_HUB_OFFLINE is set: unset it, or take another source (--source)") from error
        except (transport_error, LocalEntryNotFoundError) as error:
            raise ExternalError(f"hub {entry.hub.repository}: {_first_line(error)}") from error

    def _fetch(self, repository: Repository, workspace: Path, report: Report) -> Fetched:
        from huggingface_hub import HfApi, hf_hub_download  # noqa: PLC0415

        asked = self._revision or repository.revision
        info = HfApi(endpoint=self._endpoint).model_info(
            repository.repository, revision=asked, files_metadata=True, timeout=30
        )
        commit = info.sha or asked
        files = [file for file in info.siblings or [] if is_taken(file.rfilename)]
        check_complete([file.rfilename for file in files], where=f"hub {repository.repository}@{commit}")
        # Of one commit: two pulls of a moving branch must not mix.
        folder = workspace / f"hub-{commit.replace('/', '_')}"
        total = sum(file.size or 0 for file in files)
        meter = Meter(report, PullStage.DOWNLOADING, total=total, detail=repository.repository)
        for file in files:
            hf_hub_download(
                repository.repository,
                file.rfilename,
                revision=commit,
                local_dir=folder,
                endpoint=self._endpoint,
                tqdm_class=_bar(meter),
            )
        hashes = {file.rfilename: file.lfs.sha256 for file in files if file.lfs}
        return Fetched(WeightsLayout.SAFETENSORS, folder, f"hub {repository.repository}", commit, "", hashes)


def _bar(meter: Meter) -> Any:
    # Not the hub's own bar: that one is disabled with all others of the process, or by an environment variable.
    from tqdm import tqdm  # type: ignore[import-untyped]  # noqa: PLC0415

    base: Any = tqdm

    class Forward(base):  # type: ignore[misc]
        """Passes the bytes on and draws nothing; tqdm counts none of them itself when it is disabled."""

        def __init__(self, *arguments: Any, **options: Any):
            # Text goes nowhere rather than `disable`: a disabled bar is not updated by every download path.
            options.pop("name", None)
            options.update(disable=False, file=_Nowhere())
            super().__init__(*arguments, **options)
            if self.initial:
                meter.advance(int(self.initial))

        def update(self, n: float | None = 1) -> bool | None:
            if self.unit == "B":
                meter.advance(int(n or 0))
            return None

    return Forward


class _Nowhere:
    def write(self, _: str) -> int:
        return 0

    def flush(self) -> None:
        """Nothing was written."""


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
