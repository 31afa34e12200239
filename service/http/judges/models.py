"""What jobs can be made of: label sets, taggers, filters, kinds of judges, base models, presets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from medner.core.files.names import CARD
from medner.core.labels import load_label_set
from medner.service.config.cards import card_data
from medner.service.config.judges import JUDGES
from medner.service.config.shelf import Preset, shipped_adapters, shipped_filters, shipped_plan
from medner.service.http.allowed_options import AllowedOptions
from medner.service.http.context import service_of
from medner.service.http.messages.answers import LabelsAnswer
from medner.service.http.messages.judge_answers import (
    BaseAnswer,
    JudgeKind,
    LabelSetAnswer,
    ModelsAnswer,
    PresetAnswer,
    ShippedFilterAnswer,
    ShippedTagger,
)
from medner.service.http.messages.responses import json_answer
from medner.store.models import ModelStore


async def models(request: Request) -> Response:
    """GET /v1/models"""
    offer = service_of(request).offer
    return json_answer(await asyncio.to_thread(_models, offer))


def _models(offer: AllowedOptions) -> ModelsAnswer:
    names = tuple(offer.label_sets.values())
    return ModelsAnswer(
        label_sets=tuple(_label_set(where) for where in names),
        taggers=tuple(_taggers(names)),
        filters=tuple(_filters(names)),
        judges=tuple(
            JudgeKind(kind=kind, open=row.is_open_to_clients, needs_filter=row.needs_filter, asks_in_words=row.chats)
            for kind, row in JUDGES.rows.items()
        ),
        bases=tuple(
            BaseAnswer(
                name=one.entry.name,
                title=one.entry.title,
                licence=one.entry.licence,
                present=one.manifest is not None,
                bytes=one.entry.converted_bytes if one.manifest is None else one.manifest.total_bytes,
            )
            for one in ModelStore().list()
        ),
        presets=tuple(_presets(names)),
    )


def _label_set(where: str) -> LabelSetAnswer:
    labels = load_label_set(where)
    return LabelSetAnswer(
        name=labels.name, title=labels.title, nested=labels.nested, types=LabelsAnswer.types_of(labels)
    )


def _taggers(names: Iterable[str]) -> Iterator[ShippedTagger]:
    for labels in names:
        for one in shipped_adapters(labels):
            card = one.card
            yield ShippedTagger(
                name=card.name, kind=card.strategy, labels=card.labels, base=card.base, **_of_card(one.folder)
            )


def _filters(names: Iterable[str]) -> Iterator[ShippedFilterAnswer]:
    for labels in names:
        for one in shipped_filters(labels):
            card = one.card
            yield ShippedFilterAnswer(
                name=card.name,
                kind=card.kind,
                labels=card.labels,
                base=card.base,
                threshold=card.threshold,
                **_of_card(one.folder),
            )


def _of_card(folder: Path) -> dict[str, Any]:
    scores = card_data(folder / CARD).get("scores") or ()
    told = (scores,) if isinstance(scores, str) else tuple(map(str, scores))
    return {"scores": told, "card": (folder / CARD).read_text(encoding="utf-8")}


def _presets(names: Iterable[str]) -> Iterator[PresetAnswer]:
    for labels in names:
        plan = shipped_plan(labels)
        if plan is not None:
            yield _preset("default", labels, plan)
            for name, preset in plan.presets.items():
                yield _preset(name, labels, preset)


def _preset(name: str, labels: str, preset: Preset) -> PresetAnswer:
    return PresetAnswer(
        name=name,
        labels=labels,
        taggers=preset.taggers,
        filter=preset.filter,
        judge=JUDGES.read(preset.judge).in_words(),
    )
