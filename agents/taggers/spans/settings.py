"""What a span tagger's folder says of itself beside its weights."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medner.agents.engines.engine import Encoder
from medner.agents.taggers.spans.head import SpanHead, load_head
from medner.agents.taggers.spans.states import EncodedStates, TokenStates
from medner.agents.taggers.spans.tagger import SpanTagger
from medner.core.errors import BadInputError, UserError
from medner.core.labels import LabelSet
from medner.core.validation import complaint

SETTINGS = "span.json"


class SpanSettings(BaseModel):
    """The types in the order of the head's scores, the first layer that looks both ways, temperature and threshold.

    ``layers`` is how many of the base's layers the tagger runs, from the first on; None is all of them.
    ``split_tokens`` are the tokens that it reads character by character
    (:func:`medner.agents.taggers.spans.alignment.align`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    types: tuple[str, ...] = Field(min_length=1)
    two_way_from: int = Field(ge=0)
    layers: int | None = Field(default=None, ge=1)
    temperature: float = Field(default=1.0, gt=0)
    threshold: float = Field(default=0.5, gt=0, lt=1)
    split_tokens: tuple[str, ...] = ()

    def save(self, folder: Path) -> None:
        """Writes the settings to a folder."""
        values = self.model_dump(mode="json")
        if not self.split_tokens:
            del values["split_tokens"]
        (folder / SETTINGS).write_text(json.dumps(values, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def read_settings(folder: Path) -> SpanSettings:
    """The settings of a folder. UserError when it has none, BadInputError when they are wrong."""
    path = folder / SETTINGS
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder} holds no {SETTINGS}: it is not a span tagger") from error
    try:
        return SpanSettings.model_validate_json(text)
    except ValidationError as error:
        reason, key = complaint(error)
        raise BadInputError(reason, path=path, key=key) from error


def load_span_tagger(folder: Path, *, name: str, adapter: str | None, encoder: Encoder, labels: LabelSet) -> SpanTagger:
    """The span tagger of a folder, on an engine that has the folder's adapter loaded as ``adapter`` (None: on none).

    UserError when it was trained for other types or does not fit together.
    """
    settings, head = read_settings(folder), load_head(folder)
    states = EncodedStates(encoder, head, adapter, settings.two_way_from, settings.layers)
    return span_tagger(folder, name=name, states=states, settings=settings, head=head, labels=labels)


def span_tagger(
    folder: Path, *, name: str, states: TokenStates, settings: SpanSettings, head: SpanHead, labels: LabelSet
) -> SpanTagger:
    """The span tagger of a folder, whose settings and head are read. UserError when it was trained for other types."""
    if settings.types != labels.codes or head.shape.types != len(labels.codes):
        raise UserError(
            f"{folder}: this span tagger knows the types {', '.join(settings.types)}, "
            f"the label set {labels.name!r} has {', '.join(labels.codes)}"
        )
    return SpanTagger(
        name=name,
        states=states,
        head=head,
        labels=labels,
        temperature=settings.temperature,
        threshold=settings.threshold,
        split_tokens=frozenset(settings.split_tokens),
    )
