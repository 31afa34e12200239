"""The keys that cards of adapters, filters and judges may have: a misspelt one would change what runs, unsaid."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from medner.core.errors import BadInputError
from medner.core.validation import complaint

#: What cards tell readers of how a thing was made and how it scored; nothing that runs reads it.
INFORMATIVE_KEYS = (
    *("data", "predictions", "excluded", "start", "command", "licence_note", "scores", "before", "notes"),
    *("samples", "samples_seen", "sentences", "sentences_seen", "examples", "tokens", "epochs", "seconds"),
    *("rank", "learning_rate", "quantise", "seed", "votes_penalty", "dtype", "products"),
    *("soft_labels", "fold_left_out"),
)
Card = TypeVar("Card", bound=BaseModel)

log = logging.getLogger("medner.cards")


def validated_card(card: type[Card], data: Mapping[str, Any], path: Path) -> Card:
    """The card of a file's data.

    BadInputError names the first key that is wrong, missing or, by its looks, misspelt. Another key that no card has is
    left out, with a warning.
    """
    unknown = sorted(data.keys() - card.model_fields.keys() - set(INFORMATIVE_KEYS))
    keys = ", ".join(card.model_fields)
    for key in unknown:
        if meant := get_close_matches(key, card.model_fields, 1, 0.75):
            raise BadInputError(f"unknown key; is {meant[0]} meant? There are {keys}", path=path, key=key)
    try:
        read = card.model_validate(data)
    except ValidationError as error:
        reason, wrong = complaint(error)
        raise BadInputError(reason, path=path, key=wrong) from error
    if unknown:
        _warn(
            f"{path} [{', '.join(unknown)}]: no key of a card, left out; there are {keys}; what is for readers: notes"
        )
    return read


# A card is read several times in a run.
@cache
def _warn(message: str) -> None:
    log.warning(message)
