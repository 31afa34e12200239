"""Options of the command line that change a configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from medner.service.adapters import StrategyName, StyleName
from medner.service.config import (
    DEFAULT_LABELS,
    DEFAULT_MODEL,
    Configuration,
    TaggerConfig,
    default_configuration,
    load_configuration,
    validated,
)
from medner.store.errors import UserError

#: How many examples a tagger given as STRATEGY:STYLE is shown; brief prompts are for tuned adapters.
_SHOTS = {"brief": 0, "full": 3, "plain": 3}


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says about the configuration; None leaves it as it is."""

    config: Path | None = None
    labels: str | None = None
    model: str | None = None
    taggers: str | None = None
    judge: str | None = None
    filter: str | None = None
    max_chars: int | None = None
    exemplars: Path | None = None


def configured(overrides: Overrides) -> Configuration:
    """The configuration of the file or the default one, changed as the options say. UserError for a wrong option."""
    if overrides.config is None:
        base = default_configuration(overrides.labels or DEFAULT_LABELS, model=overrides.model or DEFAULT_MODEL)
    else:
        base = load_configuration(overrides.config)
    data: dict[str, Any] = base.model_dump()
    for key in ("labels", "model", "max_chars"):
        if getattr(overrides, key) is not None:
            data[key] = getattr(overrides, key)
    if overrides.taggers is not None:
        data["taggers"] = [tagger.model_dump() for tagger in read_taggers(overrides.taggers, base.taggers)]
        data["min_taggers"] = min(base.min_taggers, len(data["taggers"]))
    if overrides.judge is not None:
        data["judge"] = read_judge(overrides.judge)
    if overrides.filter is not None:
        data["filter"] = read_filter(overrides.filter)
    if overrides.exemplars is not None:
        data["exemplars"] = {**(data["exemplars"] or {}), "folder": overrides.exemplars}
    return validated(data, where="options")


def read_taggers(said: str, known: tuple[TaggerConfig, ...]) -> list[TaggerConfig]:
    """The taggers of a comma list: names of the configuration, or STRATEGY:STYLE for an untuned one."""
    by_name = {tagger.name: tagger for tagger in known}
    return [_tagger(word.strip(), by_name) for word in said.replace("，", ",").split(",")]


def _tagger(word: str, known: dict[str, TaggerConfig]) -> TaggerConfig:
    if word in known:
        return known[word]
    strategy, colon, style = word.partition(":")
    strategies, styles = get_args(StrategyName), get_args(StyleName)
    if not colon or strategy not in strategies or style not in styles:
        raise UserError(
            f"--taggers: no tagger {word!r}; there are {', '.join(known)}, or give STRATEGY:STYLE, for example "
            f"html:full (strategies: {', '.join(strategies)}; styles: {', '.join(styles)})"
        )
    return TaggerConfig.model_validate(
        {"name": f"{strategy}-{style}", "strategy": strategy, "style": style, "shots": _SHOTS[style]}
    )


def read_judge(said: str) -> dict[str, Any]:
    """A judge from select, hard-vote, best-tagger or best-tagger:NAME."""
    kind, colon, tagger = said.partition(":")
    named = bool(colon)
    if kind not in ("select", "hard-vote", "best-tagger") or (named and (kind != "best-tagger" or not tagger)):
        raise UserError(
            f"--judge: {said!r} is none; there are select, hard-vote, best-tagger (it follows the first) "
            "and best-tagger:NAME"
        )
    return {"kind": kind, "tagger": tagger or None}


def read_filter(said: str) -> dict[str, Any] | None:
    """A filter from off, or llm-causal with a threshold where one is given."""
    kind, colon, threshold = said.partition(":")
    reader: Callable[[], dict[str, Any] | None] | None = {
        ("off", ""): lambda: None,
        ("llm-causal", ""): lambda: {"kind": "llm-causal"},
        ("llm-causal", ":"): lambda: {"kind": "llm-causal", "threshold": float(threshold)},
    }.get((kind, colon))
    try:
        if reader is not None:
            return reader()
    except ValueError:
        pass
    raise UserError(f"--filter: {said!r} is none; there are off, llm-causal and llm-causal:THRESHOLD, from 0 to 1")
