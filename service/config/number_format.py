"""The number format that models in this process have."""

from __future__ import annotations

from pathlib import Path

from medner.service.config.configuration import Configuration


def settled_dtype(configuration: Configuration, model: Path) -> str:
    """The format that models in this process have: the configured one, or this machine's fastest for the model."""
    if configuration.dtype != "auto":
        return configuration.dtype
    try:
        from medner.agents.engines.local.formats import pick_device  # noqa: PLC0415  heavy
        from medner.agents.engines.local.model import best_format  # noqa: PLC0415  heavy
    except ImportError:  # without PyTorch nothing runs in this process
        return "auto"
    return best_format(model, pick_device())
