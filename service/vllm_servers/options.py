"""The options that the command lines of all vLLM servers have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medner.service.vllm_servers.plan import Plan

#: Context sizes are rounded up to a multiple of this.
_CONTEXT_STEP = 256
_LEAST_CONTEXT = 1_024


def common(model: Path, names: Sequence[str], context: int, plan: Plan) -> list[str]:
    """The model's folder and names, its context and number format."""
    found = [*options("model", model.resolve()), "--served-model-name", *names]
    return [*found, *options("max-model-len", context, "dtype", plan.dtype or "bfloat16", "seed", 0)]


def context_size(least: int) -> int:
    """A context of at least so many tokens."""
    return max(_LEAST_CONTEXT, -(-least // _CONTEXT_STEP) * _CONTEXT_STEP)


def options(*pairs: object) -> list[str]:
    """The words of options: a name, its value, the next name."""
    names, values = pairs[::2], pairs[1::2]
    return [word for name, value in zip(names, values, strict=True) for word in (f"--{name}", str(value))]
