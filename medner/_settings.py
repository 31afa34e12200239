"""What decides how texts are annotated, in the words of the command line and of configuration files."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from medner.core.errors import UserError
from medner.core.renamed import SETTINGS, renamed_note

if TYPE_CHECKING:
    from medner.service.config.configuration import Configuration
    from medner.service.config.options import Overrides


class Settings(TypedDict, total=False):
    """Which models annotate, and how. What is left out takes the default of the label set.

    - ``taggers``: names of taggers that ship, adapter folders, ``STRATEGY:STYLE`` for untuned ones.
    - ``judge``: as `medner annotate --judge` has it (``"hard-vote"``, ``"select:openai:qwen3-32b"`` ...), or a judge's
      table as a configuration file has it.
    - ``filter``: ``"off"``, a shipped filter's name, a filter's folder, ``"span"``; ``:THRESHOLD`` may follow.
    - ``model``: the base model's name or folder. ``preset``: ``"default"`` or ``"fast"``. ``dtype``: ``"auto"``,
      ``"int8"``, ``"bf16"``, ``"f16"`` or ``"f32"``.
    - ``config``: a configuration file, which the other settings override.
    - ``exemplars``: the folder that `medner exemplars build` wrote. ``servers``: URLs of vLLM servers.
    - ``answers``: results of `medner annotate -o` whose taggers' answers are taken.
    - ``max_chars``: the longest sentence. ``join_lines``: a single line break ends no sentence.
    """

    taggers: str | Sequence[str | os.PathLike[str]]
    judge: str | Mapping[str, Any]
    filter: str
    model: str | os.PathLike[str]
    preset: str
    dtype: str
    config: str | os.PathLike[str]
    exemplars: str | os.PathLike[str]
    servers: Sequence[str]
    answers: Sequence[str | os.PathLike[str]]
    max_chars: int
    join_lines: bool


_OPTION = re.compile(
    r"--(taggers|filter|preset|judge|labels|model|answers|dtype|max-chars|join-lines|config|server|encoding|text-column"
    r"|id-column|keep|sheet|query|delimiter|header-row)\b"
)


def overrides_of(labels: str | os.PathLike[str] | None, settings: Mapping[str, Any]) -> Overrides:
    """The settings as the command line has them. UserError for one that there is not, or of another type."""
    from medner.service.config.options import Overrides

    settings = _with_new_names(settings)
    for name in settings:
        if name not in Settings.__annotations__:
            close = get_close_matches(name, Settings.__annotations__, 1)
            hint = f"; {close[0]} is meant?" if close else ""
            raise UserError(f"there is no setting {name!r}{hint} (there are {', '.join(Settings.__annotations__)})")
    given = {name: value for name, value in settings.items() if value is not None}
    judge = given.get("judge")
    return Overrides(
        config=_path(given, "config"),
        labels=None if labels is None else _text({"labels": labels}, "labels"),
        model=_text(given, "model"),
        taggers=_texts(given, "taggers"),
        judge=dict(judge) if isinstance(judge, Mapping) else _text(given, "judge"),
        filter=_text(given, "filter"),
        max_chars=_of_type(given, "max_chars", int),
        exemplars=_path(given, "exemplars"),
        servers=_texts(given, "servers") or (),
        answers=tuple(map(Path, _texts(given, "answers") or ())),
        join_lines=bool(_of_type(given, "join_lines", bool)),
        dtype=_text(given, "dtype"),
        preset=_text(given, "preset"),
    )


def _with_new_names(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings under the names that they have now, with a DeprecationWarning for an old one."""
    for old, new in SETTINGS.items():
        if old in settings and new in settings:
            raise UserError(f"{old} is called {new} now, and {new} is there too; leave {old} out")
        if old in settings:
            warnings.warn(renamed_note(old, new), DeprecationWarning, stacklevel=4)
    return {SETTINGS.get(name, name): value for name, value in settings.items()}


def configuration_of(overrides: Overrides) -> Configuration:
    """The configuration of settings, a registered judge looked up. Messages name settings, not options."""
    from medner.service.config.options import configured

    try:
        return configured(overrides)
    except UserError as error:
        error.args = (in_settings(str(error)),)
        raise


def in_settings(message: str) -> str:
    """A message of the command line in the words of Python."""
    return _OPTION.sub(lambda found: found[1].replace("-", "_"), message)


def _of_type(given: Mapping[str, Any], name: str, kind: type) -> Any:
    value = given.get(name)
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise UserError(f"{name}: must be {kind.__name__}, got {type(value).__name__}")
    return value


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise UserError(f"{name}: must be a text, got {value!r}")
    return str(value)


def _path(given: Mapping[str, Any], name: str) -> Path | None:
    text = _text(given, name)
    return None if text is None else Path(text).expanduser()


def _texts(given: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        return tuple(word.strip() for word in value.replace("，", ",").split(","))
    if not isinstance(value, Sequence) or not value or not all(isinstance(one, str | os.PathLike) for one in value):
        raise UserError(f"{name}: must be a list of texts, got {value!r}")
    return tuple(os.fspath(one) for one in value)
