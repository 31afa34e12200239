"""From what a source brought to a model in the store: checked, converted, described, and put in place at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from medner.core.errors import BadInputError, ExternalError, UserError
from medner.core.files.hashing import sha256_of
from medner.store.models.catalogue import CatalogueEntry
from medner.store.models.convert import Conversion, Convert
from medner.store.models.manifest import FileRecord, ModelManifest
from medner.store.models.model_files import set_aside
from medner.store.models.progress import Meter, PullProgress, PullStage, Report
from medner.store.models.sources.source import Fetched, WeightsLayout

WORK = ".work"  # unfinished pulls and locks; no model's name can start with a dot


def workspace_of(target: Path) -> Path:
    """Where a pull of the model that will be ``target`` keeps what is unfinished."""
    return target.parent / WORK / target.name


def install(
    entry: CatalogueEntry, source: str, fetched: Fetched, target: Path, convert: Convert, report: Report
) -> None:
    """Makes ``target``, whole or not at all. The workspace must be on the same file system.

    A file with a wrong hash is kept as ``*.bad`` (ExternalError); a user's own file is left alone (UserError).
    """
    workspace = workspace_of(target)
    weights_sha256 = ""
    if fetched.layout is WeightsLayout.GGUF:
        weights_sha256 = _checked_gguf(entry, fetched, report)
        shutil.rmtree(workspace / "parts", ignore_errors=True)
        folder = workspace / "converted"
        shutil.rmtree(folder, ignore_errors=True)
        report(PullProgress(PullStage.CONVERTING, detail="to bfloat16, takes a minute"))
        made = convert(fetched.path, folder, entry)
    else:
        folder = fetched.path
        made = _described(folder, entry)
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # huggingface_hub's notes on the download
    manifest = ModelManifest(
        name=entry.name,
        licence=entry.licence,
        source=source,
        origin=fetched.origin,
        revision=fetched.revision,
        weights_sha256=weights_sha256,
        architecture=made.architecture,
        dtype=made.dtype,
        context=made.context or entry.context,
        versions=made.versions,
        files=_hashed(folder, fetched.expected, report),
    )
    manifest.write(folder)
    if target.exists():  # a folder without a manifest is no model, but it may be somebody's
        raise UserError(f"{target} is in the way: move it, then give the same command again")
    folder.rename(target)


def _checked_gguf(entry: CatalogueEntry, fetched: Fetched, report: Report) -> str:
    meter = Meter(report, PullStage.CHECKING, total=fetched.path.stat().st_size, detail=fetched.path.name)
    found = sha256_of(fetched.path, meter.advance)
    if fetched.expected_sha256 in ("", found):
        return found
    facts = f"{fetched.path.name}: SHA-256 is {found}, the catalogue says {fetched.expected_sha256}"
    if not fetched.owned:
        raise UserError(f"{facts}. If you trust the file, pull it under a name of your own")
    bad = set_aside(fetched.path)
    shutil.rmtree(fetched.path.parent / "parts", ignore_errors=True)
    raise ExternalError(f"{facts}; kept as {bad}. Try again, or take {entry.name} from another source (--source)")


def _described(folder: Path, entry: CatalogueEntry) -> Conversion:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        architecture = config["architectures"][0]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise BadInputError(f"not a model's configuration ({error!r})", path=path, key="architectures") from error
    if entry.architecture and architecture != entry.architecture:
        raise UserError(f"{folder} holds a {architecture}, but {entry.name} is a {entry.architecture}")
    dtype = config.get("dtype") or config.get("torch_dtype") or "unknown"
    return Conversion(architecture, dtype, config.get("max_position_embeddings"), {})


def _hashed(folder: Path, expected: Mapping[str, str], report: Report) -> dict[str, FileRecord]:
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.endswith(".bad"))
    meter = Meter(report, PullStage.CHECKING, total=sum(file.stat().st_size for file in files), detail="hashes")
    records = {}
    for file in files:
        found = sha256_of(file, meter.advance)
        if expected.get(file.name, found) != found:
            bad = set_aside(file)
            raise ExternalError(
                f"{file.name}: SHA-256 is {found}, the source said {expected[file.name]}; kept as {bad}. "
                "The same command brings it again"
            )
        records[file.name] = FileRecord(bytes=file.stat().st_size, sha256=found)
    return records
