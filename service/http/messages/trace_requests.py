"""What is asked about traces."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from medner.service.http.messages.requests import JUDGE, NUMBER_CURSOR
from medner.service.http.messages.strict import IS_WHOLE, Strict, Whole

_WHY = "The reason, for the record."


class PageOf(Strict):
    """A page of a list: how many, and the cursor that the page before gave as ``next``."""

    limit: int = Field(default=50, ge=1, le=1_000)
    cursor: str | None = Field(default=None, pattern=NUMBER_CURSOR)


class RunsQuery(Strict):
    """A page of runs."""

    limit: int = Field(default=50, ge=1, le=1_000)
    cursor: str | None = Field(default=None, pattern=r"^[0-9]{1,11}:[!-~]{1,700}$")


class SentencesQuery(PageOf):
    """Which sentences of a run."""

    only: Literal["conflicts", "abstained", "fallbacks", "overruled"] | None = None


class ExportQuery(Strict):
    """What is exported: the sentences with people's decisions in them, or the decisions alone."""

    decisions: bool = False


class AgreementQuery(Strict):
    """How many of the most disputed texts."""

    show: int = Field(default=20, ge=0, le=1_000)


class DiffQuery(Strict):
    """How many of the changed sentences."""

    show: int = Field(default=50, ge=0, le=1_000)


class ForkBody(Strict):
    """The other judge, and which sentences: those named, a sample drawn by the seed, or all that have conflicts."""

    judge: str = Field(pattern=JUDGE, description="As for a job: hard-vote, best-tagger:NAME, @NAME of the registry.")
    sentences: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=10_000)
    sample: Annotated[int, Field(ge=1, le=1_000_000), IS_WHOLE] | None = None
    seed: Whole = Field(default=0, ge=0, le=4_294_967_295)
    keep_days: Annotated[int, Field(ge=0, le=3_650), IS_WHOLE] | None = None


class GoldEntity(Strict):
    """An entity of a gold document."""

    start: Whole = Field(ge=0)
    end: Whole = Field(ge=1)
    label: str = Field(min_length=1, max_length=100)


class GoldDocument(Strict):
    """A document with its right entities."""

    id: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1)
    entities: tuple[GoldEntity, ...] = ()


class GoldBody(Strict):
    """The right entities of the documents, to score two runs by."""

    documents: tuple[GoldDocument, ...] = Field(min_length=1)
    seed: Whole = Field(default=0, ge=0, le=4_294_967_295)
    resamples: Whole = Field(default=1_000, ge=100, le=10_000)


class AddedEntity(Strict):
    """An entity that no tagger proposed, in offsets of the sentence."""

    start: Whole = Field(ge=0)
    end: Whole = Field(ge=1)
    label: str = Field(min_length=1, max_length=100)


class DecisionBody(Strict):
    """A person's decision: the numbers of the candidates that stay, from 1; what is added; where there are no keys,
    who decides (else that is the key's name)."""

    keep: tuple[Whole, ...] = Field(default=(), max_length=1_000)
    add: tuple[AddedEntity, ...] = Field(default=(), max_length=100)
    by: str | None = Field(default=None, min_length=1, max_length=100)
    why: str = Field(default="", max_length=2_000, description=_WHY)


class OverruleBody(DecisionBody):
    """A decision with its reason."""

    why: str = Field(min_length=1, max_length=2_000, description=_WHY)
