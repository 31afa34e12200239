"""Configurations that mean the same on another machine."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from medner.service.config.configuration import Configuration, validated

#: Stands for the folder of the adapters that ship, which lies elsewhere in every installation.
_SHIPPED = "medner:models"


def freeze(configuration: Configuration) -> dict[str, Any]:
    """The configuration as plain data; shipped adapters are named by their place in the package."""
    return freeze_data(configuration.model_dump(mode="json"))


def freeze_data(data: dict[str, Any]) -> dict[str, Any]:
    """Plain data with paths into the package named by their place in it."""
    frozen: dict[str, Any] = _replaced(data, str(_root()), _SHIPPED)
    return frozen


def thaw_data(data: dict[str, Any]) -> dict[str, Any]:
    """The same on this machine."""
    thawed: dict[str, Any] = _replaced(data, _SHIPPED, str(_root()))
    return thawed


def thaw(data: dict[str, Any]) -> Configuration:
    """The configuration on this machine. BadInputError where it is none."""
    return validated(_as_frozen(thaw_data(data)), where="the job's configuration")


def _as_frozen(data: dict[str, Any]) -> dict[str, Any]:
    """The configuration with what was meant when it was frozen: 0.1.0 ran span taggers in the worker, also beside
    servers, and had no key for it."""
    engine = data.get("engine")
    if not isinstance(engine, dict) or engine.get("kind") != "vllm" or "span_taggers" in engine:
        return data
    return {**data, "engine": {**engine, "span_taggers": "local"}}


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(one, old, new) for key, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, old, new) for one in value]
    if isinstance(value, str) and (value == old or value.startswith(old + "/")):
        return new + value[len(old) :]
    return value


def _root() -> Path:
    return Path(str(files("medner.models")))
