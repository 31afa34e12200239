"""What is wrong with data from outside, in one line, out of pydantic's errors."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ValidationError


def complaint(
    error: ValidationError, whole: type[BaseModel] | None = None, parts: Mapping[str, type[BaseModel]] | None = None
) -> tuple[str, str | None]:
    """The first thing that is wrong, and its key.

    With the model of the ``whole`` and of its ``parts`` by key, an unknown key's reason lists the keys there are.
    """
    first = error.errors(include_url=False)[0]
    place = first["loc"]
    key = ".".join(map(str, place)) or None
    if first["type"] == "extra_forbidden" and whole is not None:
        known = (parts or {}).get(str(place[0]), whole) if len(place) > 1 else whole
        return f"unknown key; there are {', '.join(known.model_fields)}", key
    message = first["msg"].removeprefix("Value error, ")
    said, colon, rest = message.partition(": ")
    # A rule over several keys begins with the one to change.
    if colon and (key is None or said.isidentifier()):
        return rest, said if key is None else f"{key}.{said}"
    return message, key
