"""Which adapter it is that a server runs under a name: a few digits of a hash, which it lists beside its models.

vLLM says only an adapter's name, and gives the base model as many names as one likes. So `medner serve-models` gives
it one more for each adapter: ``cmeee-v2.symbol#0123456789abcdef``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from medner.core.files.hashing import sha256_of
from medner.core.files.names import ADAPTER_CONFIG, ADAPTER_WEIGHTS

_MARK = "#"
_DIGITS = 16


def adapter_identity(folder: Path) -> str | None:
    """The beginning of a hash over an adapter's settings and weights; None where a file is missing."""
    files = [folder / name for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)]
    if not all(file.is_file() for file in files):
        return None
    lines = "\n".join(f"{file.name} {sha256_of(file)}" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()[:_DIGITS]


def marked(name: str, identity: str) -> str:
    """The further name of the base model that says which adapter ``name`` is."""
    return f"{name}{_MARK}{identity}"


def unmarked(name: str) -> tuple[str, str] | None:
    """The adapter's name and its identity in a further name; None for a model's own name."""
    adapter, found, identity = name.rpartition(_MARK)
    return (adapter, identity) if found and len(identity) == _DIGITS else None
