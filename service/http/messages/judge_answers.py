"""Judges and models as they go out, and what is asked about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from medner.service.http.messages.answers import TypeAnswer
from medner.service.http.messages.strict import Strict, Whole


class DefinitionAnswer(Strict):
    """A judge by name. ``goes_out_to`` are hosts beyond this machine to which it sends sentences."""

    name: str
    revision: int
    definition: dict[str, Any]
    words: str
    goes_out_to: tuple[str, ...]
    by: str
    created: datetime


class VersionAnswer(Strict):
    """A judge that was put in place for the jobs that follow. ``smoke`` is what its test said."""

    version: int
    name: str
    revision: int
    words: str
    at: datetime
    by: str
    why: str
    forced: bool
    back_to: int | None
    smoke: str


class HolderAnswer(Strict):
    """A worker that follows, the version it judges with, and why it does not hold a newer one."""

    worker: str
    version: int
    changed: bool
    problem: str


class JudgesAnswer(Strict):
    """The judges there are, the one in place, and who holds which version."""

    judges: tuple[DefinitionAnswer, ...]
    in_place: VersionAnswer | None
    workers: tuple[HolderAnswer, ...]


class HistoryAnswer(Strict):
    """Every version that was put in place, the newest first; ``next`` is the cursor of the next page."""

    versions: tuple[VersionAnswer, ...]
    next: str | None


class CaseAnswer(Strict):
    """A made-up conflict of the test: whether the answer can be used, and whether it is right."""

    text: str
    usable: bool
    right: bool
    seconds: float
    problem: str
    answer: str


class TestAnswer(Strict):
    """What a judge answered in its test."""

    passed: bool
    summary: str
    cases: tuple[CaseAnswer, ...]


class DefinitionBody(Strict):
    """A judge: in words (hard-vote, select:openai:NAME) or as the [judge] table of a configuration."""

    judge: str | dict[str, Any] = Field(examples=["hard-vote", {"kind": "best-tagger", "tagger": "symbol"}])


class UseBody(Strict):
    """Why a judge is put in place. ``force``: even if it does not pass its test."""

    why: str = Field(default="", max_length=2_000)
    force: bool = False


class BackBody(UseBody):
    """The earlier version whose judge is put in place again."""

    version: Whole = Field(ge=1, le=9_007_199_254_740_991)


class ShippedTagger(Strict):
    """A tagger that ships: its adapter's kind, base and scores, and its card as it is written."""

    name: str
    kind: str
    labels: str
    base: str
    scores: tuple[str, ...]
    card: str


class ShippedFilterAnswer(Strict):
    """A filter that ships, with the threshold under which it drops candidates."""

    name: str
    kind: str
    labels: str
    base: str
    threshold: float
    scores: tuple[str, ...]
    card: str


class JudgeKind(Strict):
    """A kind of judge; ``open``: clients may name it for a job."""

    kind: str
    open: bool
    needs_filter: bool
    asks_in_words: bool


class BaseAnswer(Strict):
    """A base model: whether it is on the server's machine, its bytes there or about what it would take."""

    name: str
    title: str
    licence: str
    present: bool
    bytes: int


class LabelSetAnswer(Strict):
    """A label set with its types."""

    name: str
    title: str
    nested: bool
    types: tuple[TypeAnswer, ...]


class PresetAnswer(Strict):
    """A choice of shipped taggers, filter and judge by name; ``default`` is what is used where nothing is chosen."""

    name: str
    labels: str
    taggers: tuple[str, ...]
    filter: str | None
    judge: str


class ModelsAnswer(Strict):
    """All that a job can be made of."""

    label_sets: tuple[LabelSetAnswer, ...]
    taggers: tuple[ShippedTagger, ...]
    filters: tuple[ShippedFilterAnswer, ...]
    judges: tuple[JudgeKind, ...]
    bases: tuple[BaseAnswer, ...]
    presets: tuple[PresetAnswer, ...]
