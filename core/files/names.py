"""Names of the files that adapters consist of."""

from __future__ import annotations

#: What an adapter is, on what base, from what data: beside its weights.
CARD = "card.toml"
#: A LoRA adapter's weights in PEFT's format, and its settings.
ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
