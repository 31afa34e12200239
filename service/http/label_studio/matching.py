"""Which label of a project stands for which type, decided before anything is annotated.

Label Studio drops predictions whose labels it does not know without a word. So a label that fits no type while a type
has no label is an error that names both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.service.http.label_studio.labelling_config import Control, Label


@dataclass(frozen=True, slots=True)
class Target:
    """Where entities of a type are written: the control's name and what it calls the type."""

    control: str
    label: str


@dataclass(frozen=True, slots=True)
class MatchedText:
    """A text of the project: its name, the key in a task's data, and where each type is written."""

    name: str
    key: str
    targets: Mapping[str, Target]


def matched_texts(controls: Iterable[Control], labels: LabelSet) -> tuple[MatchedText, ...]:
    """The texts with labels that are types. UserError, with the way out, where the labels do not fit."""
    by_text: dict[str, list[Control]] = {}
    for control in controls:
        by_text.setdefault(control.text, []).append(control)
    found = [_matched(name, group, labels) for name, group in by_text.items()]
    texts = tuple(one for one in found if one.targets)
    if not texts:
        strange = [label.written for group in by_text.values() for control in group for label in control.labels]
        raise UserError(_unfitting(strange, labels.codes, labels))
    return texts


def _matched(name: str, controls: list[Control], labels: LabelSet) -> MatchedText:
    targets: dict[str, Target] = {}
    strange: list[str] = []
    for control in controls:
        types = {label: _types_of(label, labels) for label in control.labels}
        if not any(types.values()):
            continue  # it marks something else: sections, for example
        strange += [label.written for label in control.labels if not types[label] and label.predicted != ()]
        for label, codes in types.items():
            for code in codes:
                _claim(targets, code, Target(control.name, label.written))
    missing = tuple(code for code in labels.codes if code not in targets)
    if targets and strange and missing:
        raise UserError(_unfitting(strange, missing, labels))
    return MatchedText(name, controls[0].text_key, targets)


def _types_of(label: Label, labels: LabelSet) -> tuple[str, ...]:
    """The codes of the types that a label stands for. UserError for predicted_values that are none."""
    if label.predicted is not None:
        codes = {name: _code(name, labels) for name in label.predicted}
        wrong = [name for name, code in codes.items() if code is None]
        if wrong:
            raise UserError(
                f"predicted_values {wrong[0]!r} of Label {label.written!r} is no type of {labels.name}, which has "
                f"{', '.join(labels.codes)}"
            )
        return tuple(code for code in codes.values() if code is not None)
    code = next((code for name in label.meant if (code := _code(name, labels)) is not None), None)
    return () if code is None else (code,)


def _code(name: str, labels: LabelSet) -> str | None:
    """The type of this code or Chinese name, capital letters or not."""
    wanted = name.strip().casefold()
    return next((one.code for one in labels.types if wanted in (one.code.casefold(), one.name.casefold())), None)


def _claim(targets: dict[str, Target], code: str, target: Target) -> None:
    first = targets.setdefault(code, target)
    if first != target:
        raise UserError(
            f"Labels {first.label!r} and {target.label!r} both stand for type {code}; give one of them "
            "predicted_values=''"
        )


def _unfitting(strange: list[str], missing: Iterable[str], labels: LabelSet) -> str:
    # Codes alone: a URL shows them as they are.
    named = ", ".join(map(repr, strange[:10])) + (f" and {len(strange) - 10} more" if len(strange) > 10 else "")
    return (
        f"no type of {labels.name} is called {named}; types without a label: {', '.join(missing)}. Give the Label "
        "predicted_values='CODE', or predicted_values='' where medner is not to predict it"
    )
