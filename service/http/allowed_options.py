"""What clients may choose: label sets, taggers, filters and judges by name. No option reaches a path or an address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medner.core.errors import UserError
from medner.core.labels import SHIPPED, load_label_set
from medner.core.plugins import is_plugin
from medner.service.config.configuration import Configuration
from medner.service.config.default import tuned_taggers
from medner.service.config.judges import JUDGES
from medner.service.config.options import Overrides, configured, without_folder
from medner.service.config.shelf import shipped_filters
from medner.service.http.messages.answers import LabelsAnswer
from medner.service.http.messages.problems import Problem
from medner.service.http.messages.requests import NAME, JobOptionNames, JobOptions
from medner.service.jobs.submit import spec_of
from medner.store.jobs import JobSpec

_DAY_S = 86_400
#: A judge of the registry, as a configuration's table.
Registered = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AllowedOptions:
    """What the server's start said, and what clients may change of it.

    ``label_sets`` are the names clients may use, with the name or file that :func:`load_label_set` takes.
    """

    base: Overrides = field(default_factory=Overrides)
    label_sets: Mapping[str, str] = field(default_factory=lambda: {name: name for name in SHIPPED})

    def configuration(self, options: JobOptionNames, judge: Registered | None = None) -> Configuration:
        """The configuration of a job; ``judge`` is one of the registry. Problem for a name there is none of."""
        labels = self._label_set(options.labels)
        self._check(
            options if judge is None else options.model_copy(update={"judge": None}),
            labels or configured(self.base).labels,
        )
        try:
            return configured(
                replace(
                    self.base,
                    labels=labels or self.base.labels,
                    taggers=options.taggers or self.base.taggers,
                    filter=options.filter or self.base.filter,
                    judge=judge or options.judge or self.base.judge,
                    preset=options.preset or self.base.preset,
                )
            )
        except UserError as error:
            raise Problem("unfitting", f"{error} (GET /v1/labels lists what there is)") from error

    def spec(self, options: JobOptions, judge: Registered | None = None) -> JobSpec:
        """The specification of a job. Problem for an option that cannot be used. Reads and hashes the adapters."""
        configuration = self.configuration(options, judge)
        return spec_of(
            configuration,
            name=options.name,
            priority=options.priority,
            trace=options.trace,
            judge_follow=options.judge_follow,
            keep_s=int(options.keep_days * _DAY_S),
        )

    def labels(self) -> tuple[str, tuple[LabelsAnswer, ...]]:
        """The name of the default label set, and all there are."""
        default = load_label_set(configured(self.base).labels).name
        return default, tuple(self._described(name) for name in self.label_sets)

    def _label_set(self, name: str | None) -> str | None:
        if name is not None and name not in self.label_sets:
            raise Problem("unfitting", f"labels: no label set {name!r}; there are {', '.join(self.label_sets)}")
        return None if name is None else self.label_sets[name]

    def _check(self, options: JobOptionNames, labels: str) -> None:
        """Problem for what is no plain name: a client chooses among what there is, and reads no file."""
        for word in (options.taggers or "").replace("，", ",").split(","):
            # A plugin reads what stands behind its name: only the server's own configuration names one.
            if options.taggers and (is_plugin(word.strip()) or not re.match(NAME, word.strip())):
                raise Problem(
                    "unfitting", f"taggers: {word.strip()!r} is no name; GET /v1/labels lists those there are"
                )
        if options.filter is not None:
            known = ("off", *without_folder(), *(one.card.name for one in shipped_filters(labels)))
            if options.filter.partition(":")[0] not in known:
                raise Problem("unfitting", f"filter: {options.filter!r} is none; there are {', '.join(known)}")
        if options.judge is not None:
            check_judge(options.judge)

    def _described(self, name: str) -> LabelsAnswer:
        where = self.label_sets[name]
        usual = configured(replace(self.base, labels=where))
        known = [one.name for one in (*tuned_taggers(usual.labels, usual.model), *usual.taggers)]
        found = load_label_set(where)
        return LabelsAnswer(
            name=name,
            title=found.title,
            nested=found.nested,
            types=LabelsAnswer.types_of(found),
            taggers=tuple(dict.fromkeys(known)),
            filters=tuple(one.card.name for one in shipped_filters(usual.labels)),
            default_taggers=tuple(one.name for one in usual.taggers),
            default_judge=usual.judge.kind,
            notice=usual.notice("en"),
        )


def check_judge(words: str) -> None:
    """Problem for a judge that clients may not name."""
    judges = [kind for kind, row in JUDGES.rows.items() if row.is_open_to_clients]
    if words.partition(":")[0] not in judges:
        raise Problem(
            "unfitting", f"judge: {words!r} is none; there are {', '.join(judges)}, and @NAME of the registry"
        )


def offer_of(base: Overrides, files: tuple[Path, ...]) -> AllowedOptions:
    """The offer of a server's start: its configuration, whose label set is among those offered. UserError if wrong."""
    usual = configured(base).labels
    found = own_label_sets(files)
    found.setdefault(load_label_set(usual).name, usual)
    return AllowedOptions(base, found)


def own_label_sets(files: tuple[Path, ...]) -> dict[str, str]:
    """The label sets that ship and those of files, by name. UserError for a file that is none, or a name twice."""
    found = {name: name for name in SHIPPED}
    for file in files:
        labels = load_label_set(file)
        if labels.name in found:
            raise UserError(f"{file}: there is a label set {labels.name!r} already; give it another name")
        if not re.match(NAME, labels.name):
            raise UserError(f"{file}: {labels.name!r} cannot be named in a request; use letters, digits, - and _")
        found[labels.name] = str(file.resolve())
    return found
