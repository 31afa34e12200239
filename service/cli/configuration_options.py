"""The options that change a configuration, as one keyword of the commands that have them all."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from medner.service.cli.options import (
    Config,
    Dtype,
    Exemplars,
    Filter,
    Judge,
    Labels,
    MaxChars,
    Model,
    Preset,
    Servers,
    Taggers,
)

if TYPE_CHECKING:
    from medner.service.config.options import Overrides

_Result = TypeVar("_Result")
_OPTIONS: dict[str, Any] = {
    "labels": Labels,
    "taggers": Taggers,
    "judge": Judge,
    "filter_": Filter,
    "exemplars": Exemplars,
    "model": Model,
    "preset": Preset,
    "dtype": Dtype,
    "config": Config,
    "server": Servers,
    "max_chars": MaxChars,
}


@dataclass(frozen=True, slots=True)
class ConfigurationOptions:
    """What these options say; None leaves the configuration as it is. Light: pydantic waits until it is needed."""

    labels: str | None = None
    taggers: str | None = None
    judge: str | None = None
    filter_: str | None = None
    exemplars: Path | None = None
    model: str | None = None
    preset: str | None = None
    dtype: str | None = None
    config: Path | None = None
    server: Sequence[str] | None = None
    max_chars: int | None = None

    def overrides(self, *, join_lines: bool = False, answers: Sequence[Path] | None = None) -> Overrides:
        """The same with the options that are not about the configuration alone."""
        from medner.service.config.options import Overrides

        return Overrides(
            config=self.config,
            labels=self.labels,
            model=self.model,
            taggers=self.taggers,
            judge=self.judge,
            filter=self.filter_,
            max_chars=self.max_chars,
            exemplars=self.exemplars,
            servers=tuple(self.server or ()),
            answers=tuple(answers or ()),
            join_lines=join_lines,
            dtype=self.dtype,
            preset=self.preset,
        )


def with_configuration(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """The command with these options in the place of its keyword ``configuration`` (ConfigurationOptions)."""
    own = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        if parameter.name != "configuration":
            parameters.append(parameter)
            continue
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for name, annotation in _OPTIONS.items()
        ]

    @wraps(command)
    def run(*arguments: Any, **values: Any) -> _Result:
        given = {name: values.pop(name) for name in _OPTIONS}
        return command(*arguments, **values, configuration=ConfigurationOptions(**given))

    # typer reads both: the signature for the parameters, the annotations for their types.
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
