"""How much memory a training run takes, known before it starts."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from medner.core.errors import UserError
from medner.core.memory import free_memory, in_gb
from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import linear_layers, shortened_config
from medner.training.taggers.examples import Example
from medner.training.taggers.learner import CHUNK

_BF16 = 2.0
#: Four bits a weight, and 8-bit scales for blocks of 64 with a 32-bit scale for every 256 of these.
_NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
#: A LoRA weight and its gradient in bf16; its master, the master's gradient and Adam's two moments in float32.
_TRAINED = 2 * _BF16 + 4 * 4.0
#: A logit in bf16, in float32, as log-probability, as gradient in float32 and in bf16.
_LOGIT = 2 * _BF16 + 3 * 4.0


@dataclass(frozen=True, slots=True)
class _Device:
    """``spread``: how much more an allocator holds than is in use, because batches have different lengths.

    ``process`` are Python, PyTorch and its kernels' workspaces; on a GPU its context.
    """

    spread: float
    process: float


#: The CPU's were measured: a 0.5B base in bf16, batches of 1,024 tokens, 7.5 GB after an hour.
_DEVICES = {"cpu": _Device(spread=4.2, process=1.5e9), "cuda": _Device(spread=1.3, process=1.0e9)}


@dataclass(frozen=True, slots=True)
class LargestBatch:
    """The largest batch: padded tokens, answer tokens scored at once, and how many tokens the loss chooses among.

    ``vocabulary`` None: all that the model has.
    """

    tokens: int
    answers: int
    vocabulary: int | None


def largest_batch(batches: Sequence[Sequence[Example]], vocabulary: int | None) -> LargestBatch:
    """The largest of a run's batches."""
    answers = max(sum(len(example) - example.answer_start for example in batch) for batch in batches)
    return LargestBatch(
        tokens=max(len(batch) * max(map(len, batch)) for batch in batches),
        answers=answers if vocabulary is not None else min(answers, CHUNK),
        vocabulary=vocabulary,
    )


def largest_rows(batches: Sequence[Sequence[Sized]]) -> LargestBatch:
    """The largest of a run's batches, where the loss is not over a vocabulary: span taggers, classifiers."""
    return LargestBatch(max(len(batch) * max(map(len, batch)) for batch in batches), answers=0, vocabulary=1)


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Bytes by what they are for."""

    weights: float
    adapter: float
    activations: float
    loss: float
    process: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.adapter + self.activations + self.loss + self.process


def memory_need(base: Path, settings: TaggerTraining, batch: LargestBatch, *, device: str = "cpu") -> MemoryNeed:
    """What a run takes at its highest, about; only the base model's config.json is read.

    UserError when it cannot be.
    """
    model = _shapes(base, settings.layers)
    config = model.config.get_text_config()
    layers = config.num_hidden_layers
    trained = max(0, layers - settings.first_layer)
    linear = list(linear_layers(model))
    in_body = sum(layer.weight.numel() for _, layer in linear)
    everything = sum(parameter.numel() for parameter in model.parameters())
    targets = settings.targets or {name for name, _ in linear}
    # Layers are alike, so those trained have their share.
    sides = sum(layer.in_features + layer.out_features for name, layer in linear if name in targets)
    adapter = settings.rank * sides * trained / layers
    place = _DEVICES[device]
    return MemoryNeed(
        weights=(everything - in_body) * _BF16 + in_body * _bytes_a_weight(settings),
        adapter=adapter * _TRAINED,
        activations=place.spread * batch.tokens * _activations(config, trained, recompute=settings.recompute),
        loss=place.spread * batch.answers * (batch.vocabulary or config.vocab_size) * _LOGIT,
        process=place.process,
    )


def _bytes_a_weight(settings: TaggerTraining) -> float:
    if settings.products == "int8":
        return _BF16 + 2.0  # beside it two layouts in bytes, for the product and for its gradient
    return _NF4 if settings.quantise == "nf4" else _BF16


def _activations(config: Any, layers: int, *, recompute: bool) -> float:
    """Bytes kept for the backward pass for each token."""
    width, inner = config.hidden_size, config.intermediate_size
    # Two norms keep their input in float32 and in bf16; queries, repeated keys and values, output, and what goes in;
    # of the feed-forward part gate, its activation, the other factor and the product.
    layer = 2 * width * (4 + 2 * _BF16) + 6 * width * _BF16 + 4 * inner * _BF16
    kept: float = layers * width * _BF16 + layer if recompute else layers * layer
    return kept


def _shapes(base: Path, layers: int | None) -> Any:
    """The model without its numbers."""
    from transformers import AutoConfig, AutoModelForCausalLM  # noqa: PLC0415  heavy

    try:
        if layers is None:
            config = AutoConfig.from_pretrained(base, local_files_only=True)
        else:
            config = shortened_config(base, layers)
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError, KeyError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"{base}: the model's config.json cannot be used: {first}") from error


def available_bytes(
    device: torch.device,
    *,
    meminfo: Path = Path("/proc/meminfo"),
    limits: Path = Path("/sys/fs/cgroup"),
) -> float | None:
    """Free memory of a GPU, or what this process may still take of the computer's; None where it is not said."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return free_memory(meminfo, limits)


def check_memory(need: MemoryNeed, available: float | None, ways_out: Sequence[str]) -> None:
    """UserError when there is less memory than a run needs; it says what would make it need less."""
    if available is None or need.total <= available:
        return
    raise UserError(
        f"the training needs about {in_gb(need.total)} of memory and {in_gb(available)} are free: {described(need)}. "
        f"Take {', or '.join(ways_out)}; --force tries all the same"
    )


def tagger_ways_out(settings: TaggerTraining) -> list[str]:
    """Options of `medner train tagger` that make a run need less memory."""
    smaller = [f"fewer --batch-tokens (now {settings.batch_tokens:,})"]
    if settings.quantise == "none":
        smaller.append("--quantise nf4")
    if not settings.recompute:
        smaller.append("--recompute")
    return [*smaller, "a smaller --base"]


def described(need: MemoryNeed) -> str:
    """The parts in words."""
    return ", ".join(f"{name} {in_gb(value)}" for name, value in asdict(need).items())
