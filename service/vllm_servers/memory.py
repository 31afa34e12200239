"""The memory that a vLLM server takes, by vLLM's own formulas, known before it is started.

Weights, adapter slots and cache are exact (tests/vllm/test_memory.py compares them with what vLLM allocates). What
passes need beside them is an estimate: vLLM measures it when it starts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medner.core.errors import UserError
from medner.core.memory import in_gb

GIB = 1024**3
#: What CUDA reports of a card's memory, by what is written on the box (GB): RTX 4090, L40S, A100.
CARDS: Mapping[int, int] = {24: int(23.6 * GIB), 48: int(44.4 * GIB), 80: int(79.1 * GIB)}
#: The share of a card that vLLM takes unless told otherwise (gpu_memory_utilization).
DEFAULT_SHARE = 0.92
#: Tokens of a cache block on a GPU.
BLOCK = 16
_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}
#: What files call numbers that a server casts to its --dtype; others (four or eight bits) stay as they are.
_CAST = ("F64", "F32", "F16", "BF16")
_STORED = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2}
#: Families whose embeddings and output layer get adapter slots too (``embedding_modules`` in vLLM's classes).
_ADAPTED_EMBEDDINGS = ("llama", "mistral", "qwen3")
#: CUDA graphs, and workspaces of kernels.
_WORKSPACE = GIB
#: From so much memory on vLLM takes larger batches, unless the card is an A100 (left out here: the larger is safe).
_LARGE_CARD = 70 * GIB


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What of a model decides how much memory it takes; ``kv_heads`` of ``head_size`` numbers have keys and values."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    tied: bool = False
    adapted_embeddings: bool = False

    @property
    def parameters(self) -> int:
        """How many weights a model with gated layers has; norms and biases, below a thousandth, are left out."""
        layer = sum(rows * columns for rows, columns in self._products())
        return self.layers * layer + self.vocabulary * self.hidden * (1 if self.tied else 2)

    def cache_bytes(self, element: int) -> int:
        """Bytes of keys and values that a token leaves (vLLM: ``AttentionSpec.page_size_bytes`` of all layers)."""
        return self.layers * 2 * self.kv_heads * self.head_size * element

    def slot_bytes(self, rank: int, element: int) -> int:
        """Bytes of an adapter slot of a rank: vLLM allocates both matrices for every linear layer, trained or not."""
        numbers = self.layers * sum(rows + columns for rows, columns in self._products())
        if self.adapted_embeddings:
            numbers += 2 * (self.vocabulary + self.hidden)
        return rank * numbers * element

    def pass_bytes(self, tokens: int, requests: int, element: int) -> int:
        """An estimate of what a pass of ``tokens`` needs at its peak, with the logits of ``requests``."""
        layer = tokens * (3 * self.intermediate + 4 * self.hidden) * element
        return layer + 3 * 4 * requests * self.vocabulary + _WORKSPACE

    def _products(self) -> list[tuple[int, int]]:
        """Inputs and outputs of each linear layer of a block: q, k, v, o; gate, up, down."""
        queries, keys = self.heads * self.head_size, self.kv_heads * self.head_size
        attention = [(self.hidden, queries), (self.hidden, keys), (self.hidden, keys), (queries, self.hidden)]
        return [*attention, *[(self.hidden, self.intermediate)] * 2, (self.intermediate, self.hidden)]


@dataclass(frozen=True, slots=True)
class Room:
    """What is left for keys and values: ``cache`` bytes, ``tokens`` in all, ``requests`` of full length."""

    cache: int
    tokens: int
    requests: int

    def in_words(self, memory: ServerMemory) -> str:
        """How many requests fit, or how much is missing."""
        if self.cache <= 0:
            return f"does not fit, {in_gb(-self.cache)} too little"
        if not memory.token:
            return f"fits, {in_gb(self.cache)} free"
        if not self.requests:
            return f"does not fit: a request of {memory.context} tokens takes {in_gb(memory.request)}"
        return f"{self.tokens:,} tokens, {self.requests:,} requests of {memory.context} tokens at a time"


@dataclass(frozen=True, slots=True)
class ServerMemory:
    """The bytes a server takes.

    ``adapters`` for ``slots`` of ``rank``; ``token`` is what one token adds to the cache; ``context`` tokens has the
    longest request; ``element`` bytes a number.
    """

    shape: ModelShape
    weights: int
    slots: int
    rank: int
    adapters: int
    token: int
    context: int
    element: int

    @property
    def need(self) -> int:
        """What it takes on a small card to answer 32 of its longest requests at a time."""
        return self.weights + self.adapters + self.shape.pass_bytes(2_048, 256, self.element) + 32 * self.request

    @property
    def request(self) -> int:
        """Bytes of cache of the longest request, in whole blocks."""
        return -(-self.context // BLOCK) * BLOCK * self.token

    def on_card(self, card: int, share: float = DEFAULT_SHARE) -> Room:
        """The room on a GPU with ``card`` bytes (vLLM: ``determine_available_memory``); negative: it does not fit."""
        tokens, requests = (8_192, 1_024) if card >= _LARGE_CARD else (2_048, 256)
        taken = self.weights + self.adapters + self.shape.pass_bytes(tokens, requests, self.element)
        return self.room(math.ceil(card * share) - taken)

    def room(self, cache: int) -> Room:
        """The room in so many bytes of cache; one block is vLLM's own."""
        if cache <= 0 or not self.token:
            return Room(cache, 0, 0)
        blocks = max(0, cache // (BLOCK * self.token) - 1)
        return Room(cache, blocks * BLOCK, blocks // -(-self.context // BLOCK))


def read_shape(folder: Path) -> ModelShape:
    """The shape in a model's config.json. UserError where it says none."""
    path = folder / "config.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        heads = int(data["num_attention_heads"])
        return ModelShape(
            layers=int(data["num_hidden_layers"]),
            hidden=int(data["hidden_size"]),
            intermediate=int(data["intermediate_size"]),
            heads=heads,
            kv_heads=int(data.get("num_key_value_heads") or heads),
            head_size=int(data.get("head_dim") or data["hidden_size"] // heads),
            vocabulary=int(data["vocab_size"]),
            tied=bool(data.get("tie_word_embeddings", False)),
            adapted_embeddings=data.get("model_type") in _ADAPTED_EMBEDDINGS,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: does not say the model's shape ({type(error).__name__})") from error


def weight_bytes(folder: Path, element: int, *, copies_of_layers: float = 1.0, left_out: Collection[str] = ()) -> int:
    """The bytes that a folder's weights take in memory, without those ``left_out``.

    Span taggers have ``copies_of_layers`` of the base's layers.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(f"{folder}: holds no weights (*.safetensors)")
    every = [(name, size) for file in files for name, size in _tensors(file, element) if name not in left_out]
    return int(sum(size * (copies_of_layers if ".layers." in name else 1.0) for name, size in every))


def server_memory(arguments: tuple[str, ...]) -> ServerMemory:
    """The memory of a server by its command line (service/vllm_servers/command.py). UserError for no model's folder."""
    folder = Path(_option(arguments, "model", "."))
    element = _BYTES.get(_option(arguments, "dtype", "bfloat16"), 2)
    shape = read_shape(folder)
    slots, rank = int(_option(arguments, "max-loras", "0")), int(_option(arguments, "max-lora-rank", "0"))
    overrides = json.loads(_option(arguments, "hf-overrides", "{}"))
    # A file may hold an output layer that the model does not use: the embeddings', or none at all.
    unused = ("lm_head.weight",) if shape.tied or overrides else ()
    return ServerMemory(
        shape=shape,
        weights=weight_bytes(folder, element, copies_of_layers=_copies(overrides, shape), left_out=unused),
        slots=slots,
        rank=rank,
        adapters=slots * shape.slot_bytes(rank, element),
        # Nothing is kept of a sentence that looks both ways.
        token=0 if "--no-enable-prefix-caching" in arguments else shape.cache_bytes(element),
        context=int(_option(arguments, "max-model-len", "0")),
        element=element,
    )


def gpu_shares(servers: Sequence[Sequence[str]], share: float) -> list[float]:
    """What each server may take of one GPU, ``share`` in all, by its need; equal where a model is not on this machine.

    Each server would take .92 of the GPU otherwise, and the second one would not start.
    """
    try:
        needs = [float(server_memory(tuple(arguments)).need) for arguments in servers]
    except UserError:
        needs = [1.0] * len(servers)
    # Rounded down: together no more than the share.
    return [math.floor(1_000 * share * need / sum(needs)) / 1_000 for need in needs]


def memory_in_words(arguments: Sequence[str], *, cache_gib: int | None) -> list[str]:
    """What a server takes and how much room is left: on a processor with ``cache_gib`` of cache, None: on GPUs.

    One line that says why, where it is not known.
    """
    try:
        memory = server_memory(tuple(arguments))
    except UserError as error:
        return [f"memory: not known: {error}"]
    parts = [f"weights {in_gb(memory.weights)}"]
    if memory.slots:
        parts.append(f"{memory.slots} adapter slots of rank {memory.rank} {in_gb(memory.adapters)}")
    parts.append(f"{memory.token / 1024:.0f} KiB of cache a token" if memory.token else "no cache between requests")
    lines = ["memory: " + ", ".join(parts)]
    if cache_gib is not None:
        rooms = {f"cache of {cache_gib} GiB": memory.room(cache_gib * GIB)}
    else:
        share = float(_option(tuple(arguments), "gpu-memory-utilization", str(DEFAULT_SHARE)))
        rooms = {f"GPU of {name} GB, {share:g} of it": memory.on_card(card, share) for name, card in CARDS.items()}
    return lines + [f"  {where}: {room.in_words(memory)}" for where, room in rooms.items()]


def _copies(overrides: Mapping[str, Any], shape: ModelShape) -> float:
    """How many times the base's layers a server holds: span taggers have layers of their own each, often not all."""
    folders = [Path(one["folder"]) for one in overrides.get("medner_taggers", ())]
    if not folders:
        return 1.0
    used = [json.loads((one / "span.json").read_text(encoding="utf-8")).get("layers") for one in folders]
    return sum((one or shape.layers) / shape.layers for one in used)


def _option(arguments: tuple[str, ...], name: str, default: str) -> str:
    flag = f"--{name}"
    return arguments[arguments.index(flag) + 1] if flag in arguments else default


def _tensors(file: Path, element: int) -> Iterator[tuple[str, int]]:
    """Names and bytes in memory, out of the file's head."""
    try:
        with file.open("rb") as stream:
            head = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        for name, entry in head.items():
            if name != "__metadata__":
                kind = entry["dtype"]
                yield name, math.prod(entry["shape"]) * (element if kind in _CAST else _STORED.get(kind, 1))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file}: cannot be read as safetensors: {error}") from error
