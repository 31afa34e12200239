"""How much memory a base model takes in this process, known before it is loaded."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator
from pathlib import Path

from medner.agents.engines.local.formats import pick_device
from medner.core.errors import UserError
from medner.core.memory import free_memory

#: Bytes a weight of the layers, and of what is kept as it lies on disk (embeddings, norms).
_BYTES: dict[str, tuple[float, float]] = {
    "int8": (1.05, 2.0),  # scales beside the integers; the rest is mapped in the file's own format
    "bf16": (2.0, 2.0),
    "f16": (2.0, 2.0),
    "f32": (4.0, 4.0),
}
#: Caches of rows, activations, what allocators hold beyond that.
_SPREAD = 1.2
#: Python, PyTorch and its kernels' workspaces.
PROCESS = 0.6e9


def base_memory(folder: Path, adapters: Collection[Path], number_format: str) -> float:
    """The bytes that a base model with its adapters takes. UserError where the folder holds no weights."""
    layers, rest = _weights(folder)
    a_layer_weight, another = _BYTES[number_format]
    if number_format != "int8":
        tuned = sum(2 * sum(_weights(adapter)) * 2.0 for adapter in adapters)
        return _SPREAD * (layers * a_layer_weight + rest * another + tuned)
    # Integers are merged with each adapter, so that every one has layers of its own.
    shares = [_share_of_layers(folder, adapter) for adapter in adapters]
    if shares and None not in shares:
        # Span taggers alone: the base without an adapter, and its output layer, stay on the disk.
        rest -= _output_layer(folder)
        copies = sum(share for share in shares if share is not None)
    else:
        copies = 1.0 + sum(1.0 if share is None else share for share in shares)
    return _SPREAD * (copies * layers * a_layer_weight + rest * another)


def _share_of_layers(folder: Path, adapter: Path) -> float | None:
    """How much of the base's layers a span tagger runs; None for another adapter."""
    try:
        used = json.loads((adapter / "span.json").read_text(encoding="utf-8")).get("layers")
        whole = json.loads((folder / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"]
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return 1.0 if used is None else min(1.0, float(used) / float(whole))


def _output_layer(folder: Path) -> int:
    files = sorted(folder.glob("*.safetensors"))
    return sum(size for file in files for name, size in _tensors(file) if name.startswith("lm_head"))


def free_for_models() -> float | None:
    """The bytes that are free where models are loaded: of the GPU, or of the computer; None where it is not known."""
    device = pick_device()
    if device.type == "cuda":
        import torch  # noqa: PLC0415  heavy

        return float(torch.cuda.mem_get_info(device)[0])
    return free_memory()


def _weights(folder: Path) -> tuple[int, int]:
    """How many weights a folder's files hold: in layers, and elsewhere."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(f"{folder}: holds no weights (*.safetensors)")
    layers = rest = 0
    for name, size in (entry for file in files for entry in _tensors(file)):
        if ".layers." in name:
            layers += size
        else:
            rest += size
    return layers, rest


def _tensors(file: Path) -> Iterator[tuple[str, int]]:
    """Names and sizes, out of the file's head."""
    try:
        with file.open("rb") as stream:
            head = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        for name, entry in head.items():
            if name != "__metadata__":
                yield name, math.prod(entry["shape"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file}: cannot be read as safetensors: {error}") from error
