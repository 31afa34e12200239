"""The kinds of engines: a class a kind with its keys, and a row a kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from medner.core.validation import StrictModel
from medner.service.config.kinds import KindSettings, KindTable


class ServerConfig(StrictModel):
    """A vLLM server: its address, how many requests it gets at a time, which environment variable holds its key."""

    url: str = Field(pattern=r"^https?://[^/\s]+(/v1)?/?$")
    concurrency: int = Field(default=32, ge=1, le=1_024)
    key_env: str | None = None


class EngineConfig(KindSettings):
    """What runs the generating models."""

    #: Whether they run in this process.
    is_local: ClassVar[bool] = True

    kind: str

    @property
    def vllm(self) -> VllmEngineConfig | None:
        """The servers; None where there are none."""
        return None


class LocalEngineConfig(EngineConfig):
    """This process runs them."""

    kind: Literal["local"] = "local"


class VllmEngineConfig(EngineConfig):
    """vLLM servers run them, each with ``attempts`` of ``timeout_s``.

    ``span_taggers`` says where these run, those that judges read with and the filter llm-cls too: on the servers
    (``vllm``), or in this process (``local``).
    """

    is_local: ClassVar[bool] = False
    needed: ClassVar[Mapping[str, str]] = {
        "servers": 'engine vllm needs at least one, servers = [{url = "http://127.0.0.1:8101"}]'
    }

    kind: Literal["vllm"] = "vllm"
    servers: tuple[ServerConfig, ...] = Field(min_length=1)
    timeout_s: float = Field(default=120, gt=0, le=86_400)
    attempts: int = Field(default=4, ge=1, le=20)
    span_taggers: Literal["vllm", "local"] = "vllm"

    @property
    def vllm(self) -> VllmEngineConfig:
        """The servers."""
        return self


KINDS: Mapping[str, type[EngineConfig]] = {"local": LocalEngineConfig, "vllm": VllmEngineConfig}
#: What 0.1.0 wrote of every engine.
_WRITTEN: dict[str, Any] = {"kind": "local", "servers": (), "timeout_s": 120, "attempts": 4}
ENGINES: KindTable[EngineConfig] = KindTable(lambda: EngineConfig, lambda: KINDS, usual="local", written=_WRITTEN)
EngineConfig.table = ENGINES
