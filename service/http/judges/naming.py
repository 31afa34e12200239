"""Judges that clients name, and definitions that they give: none reads a file of the server's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from medner.core.errors import MednerError, UserError
from medner.core.plugins import is_plugin
from medner.core.validation import complaint
from medner.service.config.frozen import freeze_data, thaw_data
from medner.service.config.judges import JudgeConfig, read_judge
from medner.service.config.registered_judges import MARK, registered_table
from medner.service.http.allowed_options import check_judge
from medner.service.http.context import Service
from medner.service.http.messages.problems import Problem
from medner.service.http.messages.requests import NAME

#: What stands before the folder of an adapter that ships (medner.service.config.frozen).
_SHIPPED = "medner:models/"
#: Keys that may name a file or a folder: these by what they hold, and all that are paths.
_NAMES = ("template", "base")
_PATHS = ("adapter", "source", "lexicon", *_NAMES)


async def judge_table(service: Service, words: str) -> dict[str, Any]:
    """The configuration of a judge that a client names. Problem where there is none."""
    try:
        if words.startswith(MARK):
            return await registered_table(service.jobs.judges, words.removeprefix(MARK))
        check_judge(words)
        return read_judge(words)
    except UserError as error:
        if isinstance(error, Problem):
            raise
        raise Problem("unfitting", f"judge: {error}", key="judge") from error


def checked_definition(given: str | dict[str, Any]) -> tuple[JudgeConfig, dict[str, Any]]:
    """A judge and its table as the registry keeps it. Problem for one that reads the server's files, or is none."""
    try:
        table = read_judge(given) if isinstance(given, str) else given
        judge = JudgeConfig.model_validate(thaw_data(table))
    except ValidationError as error:
        reason, key = complaint(error)
        raise Problem("unfitting", f"judge: {reason}", **({"key": key} if key else {})) from error
    except UserError as error:
        raise Problem("unfitting", f"judge: {str(error).removeprefix('--judge: ')}", key="judge") from error
    frozen = freeze_data(judge.model_dump(mode="json"))
    for one, table_of_one in zip(judge.in_order, (frozen, *frozen.get("fallback", ())), strict=True):
        _check_paths(one, table_of_one)
    return judge, frozen


def _check_paths(judge: JudgeConfig, table: dict[str, Any]) -> None:
    if is_plugin(judge.kind):
        raise Problem("unfitting", "judge: plugins are named on the machine: medner judges add NAME", key="kind")
    paths = {key for key, value in judge if isinstance(value, Path)}
    for key in sorted(paths.union(_NAMES)):
        value = table.get(key)
        if value is None or (str(value).startswith(_SHIPPED) and ".." not in Path(str(value)).parts):
            continue
        if key in paths or not re.match(NAME, str(value)) or Path(str(value)).suffix == ".toml":
            raise Problem(
                "unfitting",
                f"judge: {key} would name a file of the server; define such a judge there: medner judges add NAME",
                key=key,
            )


def shown_definition(judge: dict[str, Any]) -> dict[str, Any]:
    """A definition as clients see it: no folder of the server, no password of an address."""
    shown = dict(judge)
    for key in _PATHS:
        value = shown.get(key)
        if isinstance(value, str) and "/" in value:
            shown[key] = value if value.startswith(_SHIPPED) else Path(value).name
    if isinstance(shown.get("url"), str):
        parts = urlsplit(shown["url"])
        shown["url"] = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    shown["fallback"] = [shown_definition(one) for one in judge.get("fallback") or ()]
    return shown


def in_words(judge: dict[str, Any]) -> str:
    """A definition in a few words; "" where this version cannot read it."""
    try:
        return JudgeConfig.model_validate(thaw_data(shown_definition(judge))).in_words()
    except (ValidationError, MednerError):
        return ""
