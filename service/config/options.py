"""Options of the command line that change a configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medner.core.choices import DEFAULT_LABELS, DEFAULT_MODEL
from medner.core.errors import UserError
from medner.core.plugins import is_plugin
from medner.service.config.cards import adapter_card, filter_card
from medner.service.config.configuration import Configuration, is_path, validated
from medner.service.config.default import default_configuration, tagger_of_card, tuned_taggers
from medner.service.config.files import load_configuration
from medner.service.config.filters import FILTERS
from medner.service.config.judges import JUDGES, BestTaggerConfig, read_judge
from medner.service.config.recorded import with_answers
from medner.service.config.retired import retired_note
from medner.service.config.shelf import ShippedFilter, shipped_filters
from medner.service.config.taggers import TAGGERS, TaggerConfig
from medner.store.models import settled_base_model


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says about the configuration; None leaves it as it is.

    ``taggers`` are names in a comma list, or one by one. ``judge`` is a judge in words, or a judge's table.
    """

    config: Path | None = None
    labels: str | None = None
    model: str | None = None
    taggers: str | tuple[str, ...] | None = None
    judge: str | dict[str, Any] | None = None
    filter: str | None = None
    max_chars: int | None = None
    exemplars: Path | None = None
    servers: tuple[str, ...] = ()
    answers: tuple[Path, ...] = ()
    join_lines: bool = False
    dtype: str | None = None
    preset: str | None = None


def configured(overrides: Overrides) -> Configuration:
    """The configuration of the file or the default one, changed as the options say. UserError for a wrong option."""
    model = None if overrides.model is None else settled_base_model(overrides.model)
    if overrides.config is None:
        base = default_configuration(
            overrides.labels or DEFAULT_LABELS, model=model or DEFAULT_MODEL, preset=overrides.preset
        )
    else:
        base = load_configuration(overrides.config, labels=overrides.labels, model=model, preset=overrides.preset)
    data: dict[str, Any] = base.model_dump()
    plain = {"max_chars": overrides.max_chars, "join_lines": overrides.join_lines or None, "dtype": overrides.dtype}
    data |= {key: value for key, value in plain.items() if value is not None}
    if overrides.taggers is not None:
        # Of two with one name that of the run's model comes last, and counts.
        known = (*tuned_taggers(base.labels, None), *tuned_taggers(base.labels, base.model), *base.taggers)
        data["taggers"] = [tagger.model_dump() for tagger in read_taggers(overrides.taggers, known, base.labels)]
        data["min_taggers"] = min(base.min_taggers, len(data["taggers"]))
        if base.filter is not None and overrides.filter is None:
            data["filter"] = base.filter.of_taggers({tagger["name"] for tagger in data["taggers"]}).model_dump()
    if overrides.answers:
        data["taggers"] = with_answers(data["taggers"], overrides.answers)
        _free_of_the_span_filter(data, overrides)
    if overrides.judge is not None:
        judge = overrides.judge
        data["judge"] = read_judge(judge) if isinstance(judge, str) else judge
    if overrides.filter is not None:
        data["filter"] = read_filter(overrides.filter, shipped_filters(data["labels"]))
    elif overrides.config is None and _is_out_of_place(data):
        data["filter"] = None
    if data["filter"] is None and overrides.judge is None and base.judge.needs_filter:
        # A judge by scores has none left to judge by.
        data["judge"] = BestTaggerConfig().model_dump()
    if not _suits_the_judge(data, base, is_default=overrides.config is None):
        data["conflicts"] = None
    if overrides.exemplars is not None:
        data["exemplars"] = {**(data["exemplars"] or {}), "folder": overrides.exemplars}
    if overrides.servers:
        data["engine"] = {**data["engine"], "kind": "vllm", "servers": [{"url": url} for url in overrides.servers]}
    return validated(data, where="options")


def _suits_the_judge(data: Mapping[str, Any], base: Configuration, *, is_default: bool) -> bool:
    """Whether doubtful and maybe still go before the judge: what the default asks its own judge is no question to
    another kind, and none of them to one that only counts votes and was named by an option."""
    judge = JUDGES.row(data["judge"]["kind"])
    if data["judge"]["kind"] != base.judge.kind and (is_default or (judge is not None and judge.only_counts_votes)):
        return False
    chosen = data["filter"]
    row = None if chosen is None else FILTERS.row(chosen["kind"])
    return not is_default or (row is not None and row.is_of_span_taggers)


def _free_of_the_span_filter(data: dict[str, Any], overrides: Overrides) -> None:
    """Takes away a filter that would ask taggers whose answers are recorded. UserError where nothing else is named."""
    taggers = map(TAGGERS.read, data["taggers"])
    spans = [tagger for tagger in taggers if tagger.scores_spans and tagger.answers is not None]
    if not spans or overrides.filter is not None or not _is_of_span_taggers(data["filter"]):
        return
    if overrides.judge is None:
        raise UserError(
            "--answers: the configuration's filter span asks the span taggers, whose answers are recorded: give "
            "--filter (off, a filter's folder ...) or --judge too"
        )
    data["filter"] = None


def _is_out_of_place(data: Mapping[str, Any]) -> bool:
    """Whether the filter is made of span taggers, and there are none any more."""
    taggers = map(TAGGERS.read, data["taggers"])
    return _is_of_span_taggers(data["filter"]) and not any(tagger.scores_spans for tagger in taggers)


def _is_of_span_taggers(filtering: Mapping[str, Any] | None) -> bool:
    return filtering is not None and FILTERS.read(filtering).is_of_span_taggers


def read_taggers(
    given: str | Sequence[str], known: tuple[TaggerConfig, ...], labels: str = DEFAULT_LABELS
) -> list[TaggerConfig]:
    """The taggers of a list or a comma list: known names, adapter folders, STRATEGY:STYLE for untuned ones."""
    by_name = {tagger.name: tagger for tagger in known}
    words = given.replace("，", ",").split(",") if isinstance(given, str) else given
    return [_tagger(word.strip(), by_name, labels) for word in words]


def _tagger(word: str, known: dict[str, TaggerConfig], labels: str) -> TaggerConfig:
    if word in known:
        return known[word]
    row = TAGGERS.row(word if is_plugin(word) else re.split("[:@]", word)[0])
    if row is not None and (keys := row.from_words(word)) is not None:
        return TAGGERS.read(keys)
    if is_path(word.partition("@")[0]) and not is_plugin(word):
        folder = Path(os.path.expanduser(word))
        return tagger_of_card(adapter_card(folder), folder)
    if (note := retired_note(labels, word)) is not None:
        raise UserError(f"--taggers: {note}")
    forms = dict.fromkeys(filter(None, (row.words() for row in TAGGERS.rows.values())))
    raise UserError(
        f"--taggers: no tagger {word!r}; there are {', '.join(known)}; or give an adapter's folder "
        f"(./runs/x/adapter), or {'; or '.join(forms)}"
    )


def read_filter(words: str, shipped: Sequence[ShippedFilter] = ()) -> dict[str, Any] | None:
    """A filter from off, a shipped one's name, a filter's folder, llm-causal or span; :THRESHOLD may follow."""
    if words == "off":
        return None
    if is_plugin(words):
        return {"kind": words}
    word, colon, threshold = words.rpartition(":")
    if not colon or Path(words).is_dir():
        word, threshold = words, ""
    folder = next((one.folder for one in shipped if one.card.name == word), None)
    if folder is None and (is_path(word) or Path(word).is_dir()):
        folder = Path(os.path.expanduser(word))
    if folder is None and word not in without_folder():
        names = [one.card.name for one in shipped if one.card.name not in without_folder()]
        raise UserError(
            f"--filter: {words!r} is none; there are off, {', '.join([*without_folder(), *names])} and the folders "
            "that medner train filter writes (./runs/x/adapter); :THRESHOLD may follow, from 0 to 1"
        )
    kind = word if folder is None else filter_card(folder).kind
    try:
        least = float(threshold) if threshold else None
    except ValueError as error:
        raise UserError(f"--filter: {threshold!r} is no threshold; give a number from 0 to 1") from error
    return {"kind": kind, "threshold": least} | ({} if folder is None else {"adapter": folder})


def without_folder() -> list[str]:
    """The kinds of filters that need no folder: the base model as it is, and the span taggers."""
    return [kind for kind, row in FILTERS.rows.items() if row.needs_no_folder]
