"""The libraries of the extra ``documents``, imported when a file needs one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from medner.core.errors import UserError


def library(name: str, purpose: str) -> Any:
    """The module of this name; UserError with the command that installs it where it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise UserError(f"{package} is missing: {purpose} need pip install 'medner[documents]'") from error
