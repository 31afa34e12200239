"""vLLM's classes of the base models that medner's own model classes are built on."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: vLLM's layers that run two-way where a config says is_causal false: module, layer, model, by the config's model_type.
_FAMILIES = {
    "qwen2": ("vllm.model_executor.models.qwen2", "Qwen2DecoderLayer", "Qwen2Model"),
    "qwen3": ("vllm.model_executor.models.qwen3", "Qwen3DecoderLayer", "Qwen3Model"),
}


def family_of(config: Any, who: str) -> tuple[Any, Any]:
    """The class of a decoder layer, and vLLM's mapper of weights' names. ValueError for another family."""
    if config.model_type not in _FAMILIES:
        raise ValueError(f"medner serves {who} on {', '.join(_FAMILIES)}, not on {config.model_type}")
    module, layer, model = _FAMILIES[config.model_type]
    family: Any = import_module(module)
    return getattr(family, layer), getattr(family, model).hf_to_vllm_mapper
