"""Configurations out of TOML files: paths count from the file's folder, what is left out takes the default."""

from __future__ import annotations

import logging
import os
import tomllib
from pathlib import Path
from typing import Any

from medner.core.choices import DEFAULT_LABELS, DEFAULT_MODEL
from medner.core.errors import BadInputError, UserError
from medner.core.renamed import renamed_note
from medner.service.config.configuration import Configuration, is_path, validated
from medner.service.config.default import default_configuration, tuned_taggers
from medner.service.config.judges import JUDGES, BestTaggerConfig
from medner.service.config.retired import retired_note
from medner.service.config.schema import SCHEMA_KEY
from medner.service.config.shelf import shipped_folder
from medner.service.config.taggers import TAGGERS
from medner.store.models import looks_like_path, settled_base_model

log = logging.getLogger("medner.configuration")

#: The keys of agents and exemplars that hold paths.
_PATHS = {"adapter", "exported", "answers", "folder", "embedder", "source", "lexicon"}


def load_configuration(
    path: Path, *, labels: str | None = None, model: str | None = None, preset: str | None = None
) -> Configuration:
    """The configuration of a TOML file; paths in it count from its folder.

    ``labels``, ``model`` and ``preset`` replace the file's. A tagger is a table, or the name of one that ships. Keys
    that are left out take the default for these three, taggers too; without taggers also filter and judge (with what
    goes before it), where ``filter = "off"`` leaves the filter out.
    BadInputError names the key and what is allowed.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadInputError("not UTF-8 text; a configuration is a TOML file in UTF-8", path=path) from error
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"not valid TOML: {error}", path=path) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    data.pop(SCHEMA_KEY, None)
    _rename(data, path)
    if isinstance(data.get("model"), str):
        data["model"] = _anchored_model(data["model"], path.parent)
    _anchor(data, path.parent, labels or str(data.get("labels", DEFAULT_LABELS)))
    data.update({key: value for key, value in (("labels", labels), ("model", model)) if value is not None})
    preset, off = preset or _preset_in(data, path), _filter_is_off(data, path)
    named, base = str(data.get("labels", DEFAULT_LABELS)), str(data.get("model", DEFAULT_MODEL))
    if isinstance(data.get("taggers"), list):
        data["taggers"] = [_shipped(one, named, base, path) for one in data["taggers"]]
    if preset is not None and "taggers" in data:
        raise BadInputError("a preset names the taggers; leave out one of preset and taggers", path=path, key="preset")
    if "taggers" not in data:
        default = default_configuration(named, model=base, preset=preset).model_dump()
        if off and JUDGES.read(default["judge"]).needs_filter:
            default["judge"] = BestTaggerConfig().model_dump()
        if not off and data.keys().isdisjoint(("filter", "judge", "conflicts")):
            # What the default asks its own judge is no question to another.
            data["conflicts"] = default["conflicts"]
        for key in ("taggers", "filter", "judge"):
            data.setdefault(key, default[key])
    return validated(data, where=path)


def _preset_in(data: dict[str, Any], path: Path) -> str | None:
    """The preset that the file names, taken out of its data."""
    named = data.pop("preset", None)
    if named is not None and not isinstance(named, str):
        raise BadInputError("must be the name of a preset", path=path, key="preset")
    return named


def _filter_is_off(data: dict[str, Any], path: Path) -> bool:
    """Whether the file leaves the filter out; its data then has none."""
    if data.get("filter") == "off":
        data["filter"] = None
        return True
    if isinstance(data.get("filter"), str):
        raise BadInputError('must be "off" or a table, as filter = {kind = "span"}', path=path, key="filter")
    return False


def _rename(data: dict[str, Any], path: Path) -> None:
    """Gives keys of taggers that were renamed their new names, with a note each; where both are, nothing is changed."""
    taggers = data.get("taggers")
    for number, tagger in enumerate(taggers if isinstance(taggers, list) else []):
        for old, new in TAGGERS.renamed.items() if isinstance(tagger, dict) else ():
            if old in tagger and new not in tagger:
                log.warning("note: %s [taggers.%d.%s]: %s", path, number, old, renamed_note(old, new))
                tagger[new] = tagger.pop(old)


def _shipped(tagger: object, labels: str, model: str, path: Path) -> object:
    """The tagger that ships under a name; a table as it is."""
    if not isinstance(tagger, str):
        return tagger
    # Of two with one name that of the run's model counts.
    known = {one.name: one for one in (*tuned_taggers(labels, None), *tuned_taggers(labels, model))}
    if tagger not in known:
        if (note := retired_note(labels, tagger)) is not None:
            raise BadInputError(note, path=path, key="taggers")
        there = f"there are {', '.join(known)}" if known else "there is none"
        raise BadInputError(f"no tagger {tagger!r} ships for {labels} on {model}; {there}", path=path, key="taggers")
    return known[tagger].model_dump()


def _anchored_model(base: str, folder: Path) -> str:
    settled = settled_base_model(base, folder)
    # Not as a Path, which would make a name of the store out of ./NAME again.
    return os.path.join(folder, os.path.expanduser(settled)) if is_path(settled) else settled


def _anchor(data: dict[str, Any], folder: Path, labels: str) -> None:
    """Makes the paths of a file count from its folder; a judge that ships for ``labels`` is known by its name."""
    if isinstance(data.get("labels"), str) and is_path(data["labels"]):
        data["labels"] = _anchored(data["labels"], folder)
    judges = _judges_in(data.get("judge"))
    for judge in judges:
        if str(judge.get("template", "")).endswith(".toml"):
            judge["template"] = _anchored(judge["template"], folder)
    taggers = data.get("taggers")
    tables = [*(taggers if isinstance(taggers, list) else []), data.get("filter"), data.get("exemplars"), *judges]
    for table in tables:
        if not isinstance(table, dict):
            continue
        for key in _PATHS & table.keys():
            if key == "source" and _ships(table[key], labels):
                continue
            table[key] = _anchored(table[key], folder)
        if isinstance(table.get("base"), str):
            table["base"] = _anchored_model(table["base"], folder)


def _ships(name: object, labels: str) -> bool:
    return isinstance(name, str) and not looks_like_path(name) and shipped_folder(labels, name) is not None


def _anchored(name: object, folder: Path) -> object:
    return str(folder / os.path.expanduser(name)) if isinstance(name, str) else name


def _judges_in(data: object) -> list[dict[str, Any]]:
    """A judge's table and those of its fallbacks."""
    if not isinstance(data, dict):
        return []
    others = data.get("fallback")
    return [data, *(one for one in (others if isinstance(others, list) else []) if isinstance(one, dict))]
