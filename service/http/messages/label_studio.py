"""What Label Studio sends to a machine-learning backend and reads from it.

It is another program's form: what is used is checked, the rest is left alone.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from medner.service.http.messages.strict import Strict


class _TheirForm(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class LabelStudioSetupBody(_TheirForm):
    """A project's labelling config (XML)."""

    labelling_config: str = Field(alias="schema")


class LabelStudioTask(_TheirForm):
    """A task: its texts are in ``data``, under the keys that the labelling config names."""

    id: int | str
    data: dict[str, Any]


class LabelStudioPredictBody(_TheirForm):
    """Tasks to annotate, and the project's labelling config (XML)."""

    tasks: tuple[LabelStudioTask, ...]
    label_config: str


class LabelStudioWebhookBody(_TheirForm):
    """Something happened in a project. Only whether a training is asked for is read."""

    action: str = ""


class LabelStudioHealthAnswer(Strict):
    """That the server works."""

    status: str
    model_class: str


class LabelStudioSetupAnswer(Strict):
    """Which models annotate the project; ``types`` are written under these labels, by text of the project."""

    model_version: str
    types: dict[str, dict[str, str]]


class LabelStudioVersionsAnswer(Strict):
    """The models that annotate now."""

    versions: tuple[str, ...]


class LabelStudioValue(Strict):
    """A place in a text, in code points, and its labels."""

    start: int
    end: int
    text: str
    labels: tuple[str, ...]


class LabelStudioRegion(Strict):
    """An entity as Label Studio shows it. ``score`` is the probability that it is right, null where there is none."""

    id: str
    from_name: str
    to_name: str
    type: str
    value: LabelStudioValue
    score: float | None


class LabelStudioPrediction(Strict):
    """A task's prediction; ``score`` is the mean of its regions' scores."""

    result: tuple[LabelStudioRegion, ...]
    score: float | None
    model_version: str


class LabelStudioPredictAnswer(Strict):
    """A prediction a task, in order."""

    results: tuple[LabelStudioPrediction, ...]
    model_version: str


class LabelStudioWebhookAnswer(Strict):
    """That it was heard."""

    detail: str
