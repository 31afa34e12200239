"""The sizes of a model's body, and whether the integer body computes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: The families of models that the integer body computes.
FAMILIES = ("qwen2", "qwen3", "llama")
_REQUIRED = {
    "num_hidden_layers",
    "hidden_size",
    "num_attention_heads",
    "num_key_value_heads",
    "intermediate_size",
    "rms_norm_eps",
    "max_position_embeddings",
}


@dataclass(frozen=True, slots=True)
class BodyShape:
    """The sizes of a body, from its config.json. ``tied``: the output layer is the embeddings."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    size: int
    inner: int
    epsilon: float
    rope_theta: float
    tied: bool = False


def body_shape(config: dict[str, Any]) -> BodyShape | None:
    """The shape that a config.json tells; None for a model this body does not compute.

    A value that transformers would fill in by the family's default makes none either: it is not guessed here.
    """
    rope = config.get("rope_parameters") or {}
    scaling = config.get("rope_scaling") or {}
    plain_rope = {rope.get("rope_type", "default"), scaling.get("rope_type", scaling.get("type", "default"))}
    kinds = set(config.get("layer_types") or ["full_attention"])
    if (
        config.get("model_type") not in FAMILIES
        or plain_rope != {"default"}
        or kinds != {"full_attention"}
        or config.get("use_sliding_window")
        or config.get("hidden_act", "silu") != "silu"
        or config.get("mlp_bias")
        # Their files hold scales beside integers.
        or config.get("quantization_config")
        or not config.keys() >= _REQUIRED
        or (config["model_type"] == "qwen3" and not config.get("head_dim"))
    ):
        return None
    heads = config["num_attention_heads"]
    return BodyShape(
        layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        heads=heads,
        kv_heads=config["num_key_value_heads"] or heads,
        size=config.get("head_dim") or config["hidden_size"] // heads,
        inner=config["intermediate_size"],
        epsilon=config["rms_norm_eps"],
        rope_theta=float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0),
        tied=bool(config.get("tie_word_embeddings", False)),
    )
