"""Base models by name: where they come from, and where they lie on this machine."""

from medner.store.models.base import base_model_folder, base_model_name, looks_like_path, settled_base_model
from medner.store.models.catalogue import Catalogue, CatalogueEntry, shipped_catalogue
from medner.store.models.manifest import MANIFEST, ModelManifest, read_manifest
from medner.store.models.progress import PullProgress, PullStage, Report
from medner.store.models.store import ListedModel, ModelStore, Verification, default_root

__all__ = [
    "MANIFEST",
    "Catalogue",
    "CatalogueEntry",
    "ListedModel",
    "ModelManifest",
    "ModelStore",
    "PullProgress",
    "PullStage",
    "Report",
    "Verification",
    "base_model_folder",
    "base_model_name",
    "default_root",
    "looks_like_path",
    "read_manifest",
    "settled_base_model",
    "shipped_catalogue",
]
