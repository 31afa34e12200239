"""LoRA adapters in PEFT's format, off the disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from medner.core.errors import UserError
from medner.core.files.names import ADAPTER_CONFIG, ADAPTER_WEIGHTS

_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True)
class LoraPair:
    """The two matrices of a linear layer's adapter; the scale is in the second."""

    down_RI: torch.Tensor  # noqa: N815  a tensor's shape stands in its name
    up_OR: torch.Tensor  # noqa: N815

    def product(self) -> torch.Tensor:
        """What the adapter adds to the layer's weight, [out, in] in float32."""
        return self.up_OR @ self.down_RI


def lora_pairs(name: str, folder: Path) -> Mapping[str, LoraPair]:
    """An adapter's matrices by the name of the layer they adapt, in float32.

    UserError when the folder holds no plain LoRA adapter.
    """
    weights = folder / ADAPTER_WEIGHTS
    if not weights.is_file():
        raise UserError(f"adapter {name!r}: {folder} holds no adapter_model.safetensors")
    scale = _scale(name, folder)
    return {target: LoraPair(down, up * scale) for target, (down, up) in _pairs(name, weights).items()}


def _scale(name: str, folder: Path) -> float:
    try:
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"adapter {name!r}: {folder / 'adapter_config.json'} cannot be read: {reason}") from error
    unusual = [
        key
        for key in ("use_dora", "alora_invocation_tokens", "rank_pattern", "alpha_pattern", "fan_in_fan_out")
        if config.get(key)
    ]
    if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none" or unusual:
        kind = ", ".join(unusual) or str(config.get("peft_type"))
        raise UserError(f"adapter {name!r}: only plain LoRA adapters can be run here, this one uses {kind}")
    return alpha / (rank**0.5 if config.get("use_rslora") else rank)


def _pairs(name: str, weights: Path) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The A and B matrices by the name of the layer they adapt."""
    from safetensors import SafetensorError  # noqa: PLC0415  heavy
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        tensors = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise UserError(f"adapter {name!r}: {weights} is damaged: {error}") from error
    pairs = {}
    for key, down in tensors.items():
        other = key.replace(".lora_A.", ".lora_B.")
        if not key.endswith((".lora_A.weight", ".lora_B.weight")):
            raise UserError(f"adapter {name!r}: {weights} holds {key}; only plain LoRA adapters can be run here")
        if other.replace(".lora_B.", ".lora_A.") not in tensors or other not in tensors:
            raise UserError(f"adapter {name!r}: {weights} holds {key} without its other half")
        if other != key:
            pairs[key.removeprefix(_PREFIX).removesuffix(".lora_A.weight")] = (down.float(), tensors[other].float())
    if not pairs:
        raise UserError(f"adapter {name!r}: {weights} holds no LoRA weights")
    return pairs


def check_fit(name: str, target: str, shape: tuple[int, int], pair: LoraPair) -> None:
    """UserError unless an adapter's two matrices fit a layer of ``shape`` [out, in] and one another."""
    rows, columns = shape
    down, up = pair.down_RI, pair.up_OR
    if (down.shape[1], up.shape[0]) != (columns, rows):
        raise UserError(
            f"adapter {name!r} does not fit the base model: {target} is {columns}x{rows}, "
            f"the adapter's {down.shape[1]}x{up.shape[0]}"
        )
    if down.shape[0] != up.shape[1]:
        raise UserError(f"adapter {name!r}: the halves of {target} have ranks {down.shape[0]} and {up.shape[1]}")
