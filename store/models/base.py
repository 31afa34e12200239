"""Which folder a base model is: one reading of a name or a path, for every command that takes one."""

from __future__ import annotations

import os
from pathlib import Path

from medner.core.errors import UserError
from medner.store.models.catalogue import NAME
from medner.store.models.manifest import MANIFEST, read_manifest
from medner.store.models.store import ModelStore

_SETTINGS = "config.json"


def looks_like_path(base: str) -> bool:
    """Whether it can only be a path: it begins with a dot or a tilde, or has a slash."""
    return base.startswith((".", "~")) or "/" in base or "\\" in base


def base_model_folder(base: str, store: ModelStore | None = None) -> Path:
    """The folder of a base model: of a name in the store, else of a path, where ``~`` is the home folder.

    UserError with the way out when neither is there, or the folder holds no model.
    """
    store = store or ModelStore()
    if store.has(base):
        return store.path(base)
    folder = Path(os.path.expanduser(base))  # unlike a Path's, it leaves a user that there is not
    if (folder / _SETTINGS).is_file():
        return folder
    if folder.is_dir():
        raise UserError(
            f"{folder}: holds no model (no {_SETTINGS}); give the folder of a model, or one of medner models list"
        )
    if looks_like_path(base) or not NAME.fullmatch(base):
        raise UserError(f"{folder}: no such folder; give the folder of a model, or one of medner models list")
    return store.path(base)  # says how to get it


def base_model_name(folder: Path) -> str:
    """What a card calls the model of a folder: its name in the store, else its folder's without the way there."""
    return read_manifest(folder).name if (folder / MANIFEST).is_file() else folder.resolve().name


def settled_base_model(base: str, beside: Path | None = None) -> str:
    """The name or the path, so that its looks say which it is: the bare name of a folder gets its ``./``.

    A name that the store has stays a name, whatever folders there are. ``beside`` is the folder that a path counts
    from; None: the working folder.
    """
    if looks_like_path(base) or ModelStore().has(base):
        return base
    return os.path.join(".", base) if ((beside or Path()) / base / _SETTINGS).is_file() else base
