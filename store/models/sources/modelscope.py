"""Models from ModelScope, over its plain file API."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
from pydantic import BaseModel, Field, ValidationError

from medner.core.errors import ExternalError, UserError
from medner.store.models.catalogue import CatalogueEntry, Repository
from medner.store.models.model_files import check_complete, is_taken
from medner.store.models.progress import Meter, PullStage, Report
from medner.store.models.sources.download import Downloader, RemoteFile, shown
from medner.store.models.sources.source import TOKENIZER_BYTES, Fetched, WeightsLayout

ENDPOINT = "https://www.modelscope.cn"


class _File(BaseModel):  # the server may add fields, so extras are let through here
    path: str = Field(alias="Path")
    size: int = Field(alias="Size")
    sha256: str | None = Field(default=None, alias="Sha256")
    revision: str = Field(default="", alias="Revision")


class _Files(BaseModel):
    files: list[_File] = Field(alias="Files")


class _Answer(BaseModel):
    data: _Files = Field(alias="Data")


class ModelScope:
    """ModelScope, or a server that speaks like it (``MODELSCOPE_ENDPOINT``)."""

    name = "modelscope"

    def __init__(self, endpoint: str | None = None, *, revision: str | None = None, attempts: int = 4):
        self._endpoint = (endpoint or os.environ.get("MODELSCOPE_ENDPOINT") or ENDPOINT).rstrip("/")
        self._revision, self._attempts = revision, attempts

    def size(self, entry: CatalogueEntry) -> int | None:
        """The size of the weights."""
        return entry.modelscope.bytes if entry.modelscope else None

    def peak(self, entry: CatalogueEntry) -> int:
        """The weights, and a little for the tokenizer."""
        return (self.size(entry) or 0) + TOKENIZER_BYTES

    def fetch(self, entry: CatalogueEntry, workspace: Path, report: Report) -> Fetched:
        """A folder with safetensors weights, configuration and tokenizer; hashes are those of the file list."""
        repository = entry.modelscope
        if repository is None:
            raise UserError(f"{entry.name} has no ModelScope repository; take another source: medner models list")
        revision = self._revision or repository.revision
        folder = workspace / f"modelscope-{revision.replace('/', '_')}"
        with httpx.Client(timeout=httpx.Timeout(60.0, connect=15.0), follow_redirects=True) as client:
            files = self._list(client, repository, revision)
            check_complete([file.path for file in files], where=f"ModelScope {repository.repository}@{revision}")
            meter = Meter(
                report, PullStage.DOWNLOADING, total=sum(file.size for file in files), detail=repository.repository
            )
            downloader = Downloader(client, attempts=self._attempts)
            for file in files:
                remote = RemoteFile(self._address(repository, revision, file), file.path, file.size, file.sha256 or "")
                downloader.fetch(remote, folder / file.path, meter.advance)
        hashes = {file.path: file.sha256 for file in files if file.sha256}
        return Fetched(
            WeightsLayout.SAFETENSORS, folder, f"{self._endpoint}/models/{repository.repository}", revision, "", hashes
        )

    def _list(self, client: httpx.Client, repository: Repository, revision: str) -> list[_File]:
        address = f"{self._endpoint}/api/v1/models/{repository.repository}/repo/files"
        try:
            response = client.get(address, params={"Revision": revision, "Recursive": "true"})
            response.raise_for_status()
            answer = _Answer.model_validate_json(response.content)
        except httpx.HTTPStatusError as error:
            raise ExternalError(f"{shown(address)}: the server answered {error.response.status_code}") from error
        except httpx.TransportError as error:
            raise ExternalError(f"{shown(address)}: {error or type(error).__name__}") from error
        except ValidationError as error:
            raise ExternalError(f"{shown(address)}: not a list of files: {error.errors()[0]['msg']}") from error
        return [file for file in answer.data.files if is_taken(file.path)]

    def _address(self, repository: Repository, revision: str, file: _File) -> str:
        query = httpx.QueryParams(Revision=revision, FilePath=file.path)
        return f"{self._endpoint}/api/v1/models/{repository.repository}/repo?{query}"
