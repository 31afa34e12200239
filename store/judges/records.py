"""What the registry holds. A judge's configuration is plain data here; the layer above knows what it means."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from medner.store.traces.records import now

NAME = r"^[\w.-]+$"


class JudgeDefinition(BaseModel):
    """A judge by name; ``revision`` grows each time the name is defined anew."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(pattern=NAME, max_length=80)
    revision: int = Field(default=0, ge=0)
    judge: dict[str, Any]
    by: str = ""
    created: datetime = Field(default_factory=now)


class JudgeVersion(BaseModel):
    """The judge that jobs follow from a moment on, frozen. ``number`` only grows, whatever judge it brings.

    ``back_to`` is the earlier version that it brings again; ``forced``: put in place without passing the smoke test.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    number: int = Field(default=0, ge=0)
    name: str = Field(pattern=NAME)
    revision: int
    judge: dict[str, Any]
    at: datetime = Field(default_factory=now)
    by: str = ""
    why: str = ""
    forced: bool = False
    back_to: int | None = None
    smoke: str = ""


class Held(BaseModel):
    """What a worker told of itself: the version it judges with, and why it does not hold a newer one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    worker: str
    number: int
    at_s: float
    seen_s: float
    problem: str = ""
