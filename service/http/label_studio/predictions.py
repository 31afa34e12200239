"""Annotated texts as Label Studio's predictions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from medner.service.http.label_studio.matching import MatchedText
from medner.service.http.messages.annotated import FoundEntity
from medner.service.http.messages.label_studio import LabelStudioPrediction, LabelStudioRegion, LabelStudioValue


def prediction(
    texts: Iterable[MatchedText], entities: Mapping[str, Iterable[FoundEntity]], model_version: str
) -> LabelStudioPrediction:
    """The prediction of a task from the entities of its texts, by the texts' names.

    Entities of a type without a label are left out. Label Studio's places are code points too, and it counts each of
    CR and LF as one.
    """
    regions = tuple(region for text in texts for region in _regions(text, entities.get(text.name, ())))
    scores = [one.score for one in regions if one.score is not None]
    mean = round(sum(scores) / len(scores), 4) if scores else None
    return LabelStudioPrediction(result=regions, score=mean, model_version=model_version)


def _regions(text: MatchedText, entities: Iterable[FoundEntity]) -> Iterator[LabelStudioRegion]:
    for entity in entities:
        target = text.targets.get(entity.label)
        if target is not None:
            place = f"{text.name}/{entity.start}/{entity.end}/{entity.label}"
            yield LabelStudioRegion(
                id=hashlib.sha256(place.encode()).hexdigest()[:10],
                from_name=target.control,
                to_name=text.name,
                type="labels",
                value=LabelStudioValue(start=entity.start, end=entity.end, text=entity.text, labels=(target.label,)),
                score=entity.score,
            )
