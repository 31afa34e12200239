"""Number formats of the local engine, and which of them this machine computes fastest.

What a processor's flags say is not how fast it is: there are processors whose bf16 is slower than their float32, and
others on which it is four times as fast. So the products of a layer are timed once, in well under a second, and the
answer is kept.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch.nn import functional

from medner.agents.engines.local.floating.prepacked import can_prepack, packed_product, packed_weight
from medner.agents.engines.local.integer.int8 import int8_product, int8_weight, is_exact, quantised_rows
from medner.core.errors import MednerError
from medner.core.files.atomic import replacing_file
from medner.core.files.data_folder import cache_folder

Format = Literal["int8", "bf16", "f16", "f32"]
DTYPES: Mapping[Format, torch.dtype] = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
FORMAT_OF: Mapping[torch.dtype, Format] = {dtype: name for name, dtype in DTYPES.items()}
FILE = "formats.json"

#: A layer's largest product in a 0.5B model, and how many tokens a pass has: few when decoding, many when scoring.
_SHAPE = (4_864, 896)
_TOKENS = (24, 256)
_ROUNDS = 9
#: A model in int8 takes a quarter of the memory and is loaded in a fraction of the time, and a machine that is busy
#: while it is measured must not lose that for ever by a hair.
_INT8_SAVES = 1.25


@dataclass(frozen=True, slots=True)
class FormatTimes:
    """What a machine's products take: microseconds a token by format; int8 is left out where it is not exact."""

    machine: str
    microseconds: Mapping[str, float]

    @property
    def order(self) -> tuple[Format, ...]:
        """The formats, the fastest first; int8 counts as faster than it is by what it saves elsewhere."""

        def time(name: str) -> float:
            return self.microseconds[name] / (_INT8_SAVES if name == "int8" else 1.0)

        return tuple(sorted(self.microseconds, key=time))  # type: ignore[arg-type]


def pick_device() -> torch.device:
    """A GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def formats_by_speed(device: torch.device, *, kept: Path | None = None) -> tuple[Format, ...]:
    """The formats that a device can compute in, the fastest first. On a processor they are measured once a machine.

    ``kept`` is the file that the answer is kept in; None: ``formats.json`` in the cache folder.
    """
    if device.type == "cuda":
        return ("bf16", "f32") if torch.cuda.is_bf16_supported() else ("f16", "f32")
    return measured_formats(kept).order


def measured_formats(kept: Path | None = None) -> FormatTimes:
    """This machine's formats, from the file where they are kept, else measured now."""
    file, name = kept or cache_folder() / FILE, machine_name()
    known = _read(file)
    if name not in known:
        known[name] = _measure()
        # A folder that cannot be written only costs the measurement again.
        with suppress(OSError, MednerError):
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing_file(file) as out:
                out.write(json.dumps(known, indent=2) + "\n")
    return FormatTimes(name, known[name])


def machine_name() -> str:
    """The processor, PyTorch's version, the threads, and what else decides which kernels are taken."""
    switches = [os.environ.get(name, "") for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")]
    threads = f"threads {torch.get_num_threads()}"
    return " ".join([_processor(), f"torch {torch.__version__}", threads, *filter(None, switches)])


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _read(file: Path) -> dict[str, dict[str, float]]:
    """What is kept, machine by machine; nothing when the file lacks or is damaged."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {
        name: {key: float(value) for key, value in times.items() if key in (*DTYPES, "int8")}
        for name, times in known.items()
        if isinstance(times, dict) and times and all(isinstance(value, int | float) for value in times.values())
    }


@torch.inference_mode()
def _measure() -> dict[str, float]:
    weight = torch.randn(_SHAPE, generator=torch.Generator().manual_seed(0))
    products: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"f32": lambda x: functional.linear(x, weight)}
    if can_prepack(torch.device("cpu"), torch.bfloat16):
        packed = packed_weight(weight.bfloat16())
        products["bf16"] = lambda x: packed_product(x.bfloat16(), packed)
    else:
        half = weight.bfloat16()
        products["bf16"] = lambda x: functional.linear(x.bfloat16(), half)
    if is_exact():
        integers = int8_weight(*quantised_rows(weight))
        products["int8"] = lambda x: int8_product(x, integers)
    inputs = [torch.randn(tokens, _SHAPE[1]) for tokens in _TOKENS]
    best = dict.fromkeys(products, float("inf"))
    # Rounds of all formats in turn: what else the machine does then falls on all alike.
    for _ in range(_ROUNDS):
        for name, product in products.items():
            best[name] = min(best[name], _microseconds(product, inputs))
    return {name: round(value, 2) for name, value in best.items()}


def _microseconds(product: Callable[[torch.Tensor], torch.Tensor], inputs: list[torch.Tensor]) -> float:
    """A token's time, the mean over the sizes of a pass."""
    total = 0.0
    for x in inputs:
        began = time.perf_counter()
        product(x)
        total += (time.perf_counter() - began) / len(x)
    return total / len(inputs) * 1e6
