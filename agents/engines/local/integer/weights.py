"""A model's layers as eight-bit integers, adapters merged, made once and kept on disk.

A layer has four products: queries, keys and values in one, the output of attention, gate and up in one, and down. For
an adapter, the products it changes are made again from ``W + scale * B A`` and kept apart; all others are the base's,
so adapters share what none of them changes. The first use of a base or of an adapter writes a file, later ones read it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import torch

from medner.agents.engines.local.integer.int8 import Int8Weight, int8_weight, quantised_rows
from medner.agents.engines.local.lora_files import LoraPair
from medner.core.errors import UserError

#: The products of a layer and the linear layers that each joins.
PRODUCTS: Mapping[str, tuple[str, ...]] = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "out": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
WAY_OUT = "`medner models verify NAME` says which file is at fault, `medner models pull NAME` brings it again"
#: Counts up when what such a file holds changes its meaning.
_VERSION = 1
_LAYER = "model.layers."
#: What kept files of all models and adapters may take together.
MOST_BYTES = 4_000_000_000
_MAPPED = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}


@dataclass(frozen=True, slots=True)
class Product:
    """A product's weight, and its bias where it has one."""

    weight: Int8Weight
    bias_O: torch.Tensor | None  # noqa: N815  a tensor's shape stands in its name


class BaseTensors:
    """The tensors of a base model's safetensors files, read one at a time, or mapped. UserError when one lacks."""

    def __init__(self, folder: Path) -> None:
        from safetensors import SafetensorError, safe_open  # noqa: PLC0415  heavy

        self.folder = folder
        self._files: dict[str, Path] = {}
        with ExitStack() as open_files:
            for path in _weight_files(folder):
                try:
                    file = open_files.enter_context(safe_open(path, framework="pt"))
                except (SafetensorError, OSError) as error:
                    raise UserError(
                        f"{folder}: the model cannot be loaded: {path.name}: {error} ({WAY_OUT})"
                    ) from error
                self._files.update(dict.fromkeys(file.keys(), path))

    def has(self, name: str) -> bool:
        """Whether there is such a tensor."""
        return name in self._files

    def require(self, names: Iterable[str]) -> None:
        """UserError unless the files hold all these tensors."""
        missing = sorted(set(names) - set(self._files))
        if missing:
            raise UserError(
                f"{self.folder}: the model's files lack {len(missing)} weights, the first is {missing[0]} ({WAY_OUT})"
            )

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's sizes."""
        from safetensors import safe_open  # noqa: PLC0415  heavy

        with safe_open(self._path(name), framework="pt") as file:
            return tuple(file.get_slice(name).get_shape())

    def read(self, name: str) -> torch.Tensor:
        """A tensor, in memory of its own."""
        from safetensors import safe_open  # noqa: PLC0415  heavy

        with safe_open(self._path(name), framework="pt") as file:
            tensor: torch.Tensor = file.get_tensor(name)
        if tensor.dtype not in _MAPPED.values():
            raise UserError(f"{self.folder}: {name} is stored as {tensor.dtype}; int8 starts from bf16, f16 or f32")
        return tensor

    def mapped(self, name: str) -> torch.Tensor:
        """A tensor whose rows are read from disk when they are asked for: embeddings are large, few rows are used."""
        path = self._path(name)
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            entry = json.loads(stream.read(size))[name]
        dtype = _MAPPED.get(entry["dtype"])
        if dtype is None:
            return self.read(name)
        first, end = entry["data_offsets"]
        first, end = (8 + size + offset for offset in entry["data_offsets"])
        if first % dtype.itemsize:
            return self.read(name)
        whole = torch.from_file(str(path), shared=False, size=end // dtype.itemsize, dtype=dtype)
        return whole[first // dtype.itemsize :].view(entry["shape"])

    def _path(self, name: str) -> Path:
        self.require([name])
        return self._files[name]


class IntegerWeights:
    """The integer products of a base model and of its adapters, by layer; each is loaded when it is first asked for.

    ``kept`` is the folder for the laid-out files; None, or one that cannot be written, makes them in each process.
    """

    def __init__(self, base: BaseTensors, base_key: str, kept: Path | None, *, most_bytes: int = MOST_BYTES) -> None:
        self._base, self._base_key, self._kept, self._most_bytes = base, base_key, kept, most_bytes
        self._adapters: dict[str, tuple[str, Mapping[str, LoraPair]]] = {}
        self._loaded: dict[tuple[str | None, int, str], Product] = {}

    def add_adapter(self, name: str, key: str, pairs: Mapping[str, LoraPair]) -> None:
        """Takes an adapter's matrices by linear layer; ``key`` tells its files apart from every other's."""
        self._adapters[name] = (key, pairs)

    def first_changed(self, adapter: str | None) -> int | None:
        """The first layer that an adapter changes; None when it changes none."""
        if adapter is None:
            return None
        return min((layer_of(target) for target in self._adapters[adapter][1]), default=None)

    def owner(self, adapter: str | None, layer: int, product: str) -> str | None:
        """The adapter whose weight a product has there; None when it is the base's."""
        if adapter is None:
            return None
        pairs = self._adapters[adapter][1]
        return adapter if any(f"{_LAYER}{layer}.{part}" in pairs for part in PRODUCTS[product]) else None

    def product(self, adapter: str | None, layer: int, product: str) -> Product:
        """A layer's product, the adapter merged into it."""
        owner = self.owner(adapter, layer, product)
        key = (owner, layer, product)
        if key not in self._loaded:
            self._load(owner, layer)
        return self._loaded[key]

    def _load(self, owner: str | None, layer: int) -> None:
        """Lays a layer's products out, from the kept file or from the model's own."""
        kept = self._kept_file(owner, layer)
        stored = None if kept is None else _read(kept)
        made = dict(self._quantised(owner, layer)) if stored is None else stored
        for product in [name.removesuffix(".integers") for name in made if name.endswith(".integers")]:
            weight = int8_weight(made[f"{product}.integers"], made[f"{product}.scales"])
            self._loaded[owner, layer, product] = Product(weight, made.get(f"{product}.bias"))
        if stored is None and kept is not None:
            _write(kept, made, most_bytes=self._most_bytes)

    def _kept_file(self, owner: str | None, layer: int) -> Path | None:
        if self._kept is None:
            return None
        name = self._base_key if owner is None else f"{self._base_key}-{self._adapters[owner][0]}"
        return self._kept / name / f"{layer}.v{_VERSION}.safetensors"

    @torch.no_grad()
    def _quantised(self, owner: str | None, layer: int) -> Iterator[tuple[str, torch.Tensor]]:
        """Integers, scales and bias of the products that belong to an adapter, or of all of the base's."""
        pairs = {} if owner is None else self._adapters[owner][1]
        for product, parts in PRODUCTS.items():
            names = [f"{_LAYER}{layer}.{part}" for part in parts]
            if owner is not None and not any(name in pairs for name in names):
                continue
            weights = []
            for name in names:
                weight = self._base.read(name + ".weight").float()
                if name in pairs:
                    weight += pairs[name].product()
                weights.append(weight)
            integers, scales = quantised_rows(torch.cat(weights))
            yield f"{product}.integers", integers
            yield f"{product}.scales", scales
            biases = [name + ".bias" for name in names]
            if self._base.has(biases[0]):
                yield f"{product}.bias", torch.cat([self._base.read(name).float() for name in biases])


def layer_of(target: str) -> int:
    """The number of the layer that a linear layer's name says."""
    return int(target.removeprefix(_LAYER).partition(".")[0])


def files_key(*files: Path) -> str:
    """Twelve hexadecimal digits that change with the files' content."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _read(path: Path) -> dict[str, torch.Tensor] | None:
    """A kept file's tensors; None when there is none, or when a stop of the machine tore it."""
    from safetensors import SafetensorError  # noqa: PLC0415  heavy
    from safetensors.torch import load  # noqa: PLC0415  heavy

    try:
        # Read, not mapped: the kernel's own layout is a copy anyway, and mapped pages would count as memory.
        found = dict(load(path.read_bytes()))
        # What was used last is removed last.
        with suppress(OSError):
            os.utime(path.parent)
        return found
    except (OSError, SafetensorError):
        return None


def _write(path: Path, tensors: Mapping[str, torch.Tensor], *, most_bytes: int) -> None:
    """Keeps a file for the next time; a folder that cannot be written only costs that time again."""
    from safetensors.torch import save  # noqa: PLC0415  heavy

    partial = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
            _make_room(path.parent, most_bytes)
        with partial.open("wb") as out:
            out.write(save(dict(tensors)))
            out.flush()
            os.fsync(out.fileno())
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()


def _make_room(mine: Path, most_bytes: int) -> None:
    """Removes the folders used longest ago, when a new one comes and all together are larger than allowed."""
    folders = [folder for folder in mine.parent.iterdir() if folder.is_dir() and folder != mine]
    sizes = {folder: sum(file.stat().st_size for file in folder.iterdir()) for folder in folders}
    for folder in sorted(folders, key=lambda one: one.stat().st_mtime):
        if sum(sizes.values()) <= most_bytes:
            return
        shutil.rmtree(folder, ignore_errors=True)
        del sizes[folder]


def _weight_files(folder: Path) -> list[Path]:
    """The files that hold a model's weights: those its index names, where it has one."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return sorted(folder.glob("*.safetensors"))
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError) as error:
        raise UserError(f"{index}: cannot be read ({WAY_OUT})") from error
    return [folder / name for name in sorted(names)]
