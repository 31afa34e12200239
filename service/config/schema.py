"""The JSON schema of configuration files, made from the types that read them, for editors."""

from __future__ import annotations

import re
from typing import Any

from medner.service.config.configuration import Configuration

#: The dialect of the schema, which taplo and other editors read.
DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: The key with which a file may name its schema.
SCHEMA_KEY = "$schema"


def configuration_schema() -> dict[str, Any]:
    """The JSON schema of a configuration file, with all kinds of taggers, filters, judges and engines."""
    schema: dict[str, Any] = _for_files(Configuration.model_json_schema())
    schema["title"] = "medner configuration"
    schema.pop("required", None)
    keys = schema["properties"]
    keys["taggers"]["items"] = _or(keys["taggers"]["items"], {"type": "string", "description": "One that ships."})
    keys["filter"] = _or(keys["filter"], {"const": "off", "description": "No filter, not even the default's."})
    keys["preset"] = {"type": "string", "description": "Taggers, filter and judge of a preset, in their place."}
    keys[SCHEMA_KEY] = {"type": "string", "description": "Where this schema lies, for editors."}
    in_words = {"type": "string", "description": 'In words, as --judge has it: "hard-vote", "best-tagger:NAME".'}
    for part in schema["$defs"].values():
        if "fallback" in part["properties"]:
            fallback = part["properties"]["fallback"]
            fallback["items"] = _or(fallback["items"], in_words)
    return {SCHEMA_KEY: DIALECT, **schema}


def _or(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [first, second]}


def _for_files(value: Any) -> Any:
    """A schema for TOML, which has no null: what may be null may be left out. Descriptions without marks of code."""
    if isinstance(value, list):
        return [_for_files(part) for part in value]
    if not isinstance(value, dict):
        return value
    several = value.get("anyOf")
    if isinstance(several, list) and {"type": "null"} in several:
        rest = [part for part in several if part != {"type": "null"}]
        value = {key: part for key, part in value.items() if key != "anyOf"} | (
            rest[0] if len(rest) == 1 else {"anyOf": rest}
        )
    told = {key: part for key, part in value.items() if not (key == "default" and part is None)}
    if isinstance(told.get("description"), str):
        told["description"] = re.sub(r"\s+", " ", told["description"].replace("``", "")).strip()
    return {key: _for_files(part) for key, part in told.items()}
