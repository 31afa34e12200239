"""What a client may choose of how a server annotates: names that the server knows, never a path or an address."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from medner._settings import Settings
from medner.core.errors import UserError


class ServerSettings(TypedDict, total=False):
    """Which models of the server annotate. What is left out is as the server's configuration says.

    - ``taggers``: names that the server lists (``server.label_sets()`` has the label sets), or ``STRATEGY:STYLE``.
    - ``judge``: ``"hard-vote"``, ``"filter-score"`` ..., or a judge of the server's registry (``"@"``, ``"@4"``,
      ``"@NAME"``).
    - ``filter``: ``"off"`` or a filter's name; ``:THRESHOLD`` may follow. ``preset``: a named choice of what ships.
    """

    taggers: str | Sequence[str]
    judge: str
    filter: str
    preset: str


def server_options(labels: str | None, settings: Mapping[str, Any]) -> dict[str, object]:
    """The settings as a request has them. UserError for one that only the server's own configuration may say."""
    for name, value in settings.items():
        if name not in ServerSettings.__annotations__:
            known = ", ".join(("labels", *ServerSettings.__annotations__))
            if name in Settings.__annotations__:
                raise UserError(
                    f"{name}: is the server's own to choose (medner serve --config FILE); a client may choose {known}"
                )
            raise UserError(f"there is no setting {name!r}; there are {known}")
        if name != "taggers" and value is not None and not isinstance(value, str):
            raise UserError(f"{name}: must be a name that the server knows, got {type(value).__name__}")
    if labels is not None and (not isinstance(labels, str) or os.sep in labels):
        raise UserError(f"labels: must be the name of a label set of the server, got {labels!r}")
    options: dict[str, object] = {"labels": labels, **settings}
    taggers = settings.get("taggers")
    if taggers is not None and not isinstance(taggers, str):
        if not isinstance(taggers, Sequence) or not all(isinstance(one, str) for one in taggers):
            raise UserError(f"taggers: must be a list of names, got {taggers!r}")
        options["taggers"] = ",".join(taggers)
    return {name: value for name, value in options.items() if value is not None}
