"""How vLLM servers are to be started, in the user's words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Device(StrEnum):
    """What the servers run on."""

    CPU = "cpu"
    GPU = "gpu"


class ServerPart(StrEnum):
    """Which servers: all that a configuration needs, those that write, those of span taggers, those on whose base model
    only a judge reads, those that classify."""

    ALL = "all"
    MODELS = "models"
    SPANS = "spans"
    JUDGE = "judge"
    FILTER = "filter"


class Speculation(StrEnum):
    """Who drafts tokens: medner's copy proposer, vLLM's n-grams, or nobody."""

    COPY = "copy"
    NGRAM = "ngram"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Plan:
    """How servers are to be started.

    ``replicas`` of each server, on ``port`` and the ports after it; ``python`` is vLLM's interpreter.
    ``context`` None: computed from label set and sentence cap. ``drafts`` tokens are drafted a pass, at most; on a
    processor a long draft that fails costs more than it saves. ``dtype`` None: bfloat16. ``adapter_updates`` lets
    whoever reaches a server load and unload adapters while it runs. ``spans`` is what `medner export` made of span
    taggers, a folder a base model; the adapters of the others are merged when their server starts. ``gpu_memory`` is
    the share of one GPU's memory that all servers take together.
    """

    device: Device = Device.CPU
    port: int = 8101
    replicas: int = 1
    python: str = "python"
    speculation: Speculation = Speculation.COPY
    context: int | None = None
    dtype: str | None = None
    host: str = "127.0.0.1"
    threads: int = 2
    drafts: int = 12
    cache_gib: int = 1
    adapter_updates: bool = False
    part: ServerPart = ServerPart.ALL
    spans: tuple[Path, ...] = ()
    gpu_memory: float = 0.92

    @property
    def reached_at(self) -> str:
        """The host by which this machine reaches a server."""
        return "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104  compared, not bound
