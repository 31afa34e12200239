"""Definitions of judges: read from a file, checked, said in words."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medner.core.errors import BadInputError

if TYPE_CHECKING:
    from medner.service.cli.judge_options import JudgesThere
    from medner.store.judges import JudgeDefinition


def table_in(path: Path) -> dict[str, Any]:
    """The [judge] table of a file. BadInputError where it has none."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"not valid TOML: {error}", path=path) from error
    found = data.get("judge")
    if not isinstance(found, dict):
        raise BadInputError("holds no [judge] table", path=path, key="judge")
    return found


def validated(table: dict[str, Any]) -> Any:
    """The judge of a table. BadInputError where it is none."""
    from pydantic import ValidationError

    from medner.core.validation import complaint
    from medner.service.config.judges import JudgeConfig

    try:
        return JudgeConfig.model_validate(table)
    except ValidationError as error:
        reason, key = complaint(error)
        raise BadInputError(reason, path="judge", key=key) from error


def needed(judge: dict[str, Any]) -> dict[str, Any]:
    """What a kind cannot be without, so that the rest can be told from the usual."""
    return {key: judge[key] for key in ("adapter", "model", "url") if judge.get(key) is not None}


def in_words(registry: JudgesThere, definition: JudgeDefinition) -> str:
    """What a judge is; a server says it, as it does not tell all of the definition."""
    from medner.store.judges import JudgeRegistry

    return words(definition.judge) if isinstance(registry, JudgeRegistry) else registry.words[definition.name]


def words(judge: dict[str, Any]) -> str:
    """What the judge of a table is."""
    return str(validated(judge).in_words())
