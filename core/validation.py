"""What is wrong with data from outside, in one line, out of pydantic's errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

#: What the name of a union's part begins with, which pydantic adds to the place of an error.
TAG = "kind:"


class StrictModel(BaseModel):
    """A table of settings: unknown keys are refused with the keys there are, and the likely one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        return cls.with_known_keys(data) if isinstance(data, Mapping) else data

    @classmethod
    def with_known_keys(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The data as it is. ValueError for a key there is not."""
        for key in data:
            if key not in cls.model_fields:
                raise ValueError(f"{key}: unknown key{meant(key, cls.model_fields)}")
        return data


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some names, as a field's metadata. ``names`` gives them each time that a value is checked."""

    names: Callable[[], Iterable[str]]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The field's own check, then that of the name."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The names there are now."""
        return handler(core) | {"enum": list(self.names())}

    def _checked(self, value: str) -> str:
        names = list(self.names())
        if value not in names:
            raise ValueError(f"there is no {value!r}{meant(value, names)}")
        return value


def meant(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the likely one, and those there are."""
    known = list(known)
    close = get_close_matches(word, known, 1)
    return f"; is {close[0]} meant? There are {', '.join(known)}" if close else f"; there are {', '.join(known)}"


def complaint(
    error: ValidationError, model: type[BaseModel] | None = None, parts: Mapping[str, type[BaseModel]] | None = None
) -> tuple[str, str | None]:
    """The first thing that is wrong, and its key.

    With the ``model``, and those of its ``parts`` by key, an unknown key's reason lists the keys there are.
    """
    first = error.errors(include_url=False)[0]
    place = [part for part in first["loc"] if not str(part).startswith(TAG)]
    key = ".".join(map(str, place)) or None
    if first["type"] == "extra_forbidden" and model is not None:
        known = (parts or {}).get(str(place[0]), model) if len(place) > 1 else model
        return f"unknown key; there are {', '.join(known.model_fields)}", key
    message = first["msg"].removeprefix("Value error, ")
    first_words, colon, rest = message.partition(": ")
    # A rule over several keys begins with the one to change.
    if colon and (key is None or re.fullmatch(r"[\w.-]+", first_words)):
        return rest, first_words if key is None else f"{key}.{first_words}"
    return message, key
