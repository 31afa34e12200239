"""Agents of other packages: how configurations name them, what they are made from, what of them may change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints

from medner.agents.engines.engine import Completion, Engine, Request
from medner.agents.filters import Filter
from medner.agents.judges.judge import Judge
from medner.agents.plugin_context import PluginContext
from medner.agents.prompts.messages import Message
from medner.agents.taggers.tagger import Tagger
from medner.core.errors import UserError
from medner.core.files.hashing import sha256_of
from medner.core.labels import LabelSet
from medner.core.plugins import PATTERN, Group, load_plugin, plugin_parts, plugin_version

#: ``plugin:NAME`` or ``plugin:NAME:ARGUMENT``.
PluginName = Annotated[str, StringConstraints(pattern=PATTERN)]


class NoEngine:
    """Stands where no agent asks the base model, so that none is loaded. Every question is a UserError."""

    async def complete(self, request: Request) -> Completion:  # noqa: ARG002  the contract's name
        """UserError."""
        raise UserError(_NOT_LOADED)

    async def choose(
        self,
        messages: Sequence[Message],  # noqa: ARG002
        options: Sequence[str],  # noqa: ARG002
        *,
        adapter: str | None = None,  # noqa: ARG002
    ) -> list[float]:
        """UserError."""
        raise UserError(_NOT_LOADED)

    async def close(self) -> None:
        """Nothing to end."""


_NOT_LOADED = "no base model is loaded, because no agent said that it needs one (needs_engine = True on the plugin)"


def plugin_facts(group: Group, kind: str) -> Iterator[tuple[str, str]]:
    """A plugin with its package's version, and the hash of the file it is given."""
    name, argument = plugin_parts(kind)
    is_file = bool(argument) and Path(argument).is_file()
    yield f"{group} {kind}", plugin_version(group, name) + (f" {sha256_of(Path(argument))}" if is_file else "")


def plugin_needs_engine(group: Group, kind: str) -> bool:
    """Whether a plugin asks the base model."""
    return bool(getattr(load_plugin(group, plugin_parts(kind)[0]), "needs_engine", False))


def tagger_of_plugin(kind: str, name: str, labels: LabelSet, engine: Engine) -> Tagger:
    """The tagger that a plugin makes, under its name in the configuration."""
    made: Tagger = _made("taggers", kind, name, labels, engine)
    if made.name != name:
        raise UserError(f"{kind}: makes a tagger named {made.name!r}; it must take the name of its context, {name!r}")
    return made


def filter_of_plugin(kind: str, labels: LabelSet, engine: Engine) -> Filter:
    """The filter that a plugin makes."""
    made: Filter = _made("filters", kind, plugin_parts(kind)[0], labels, engine)
    return made


def judge_of_plugin(kind: str, labels: LabelSet, engine: Engine) -> Judge:
    """The judge that a plugin makes."""
    made: Judge = _made("judges", kind, plugin_parts(kind)[0], labels, engine)
    return made


_VERBS = {"taggers": ("name", "tag"), "filters": ("name", "threshold", "score"), "judges": ("name", "version", "judge")}


def _made(group: Group, kind: str, name: str, labels: LabelSet, engine: Engine) -> Any:
    plugin, argument = plugin_parts(kind)
    made = load_plugin(group, plugin)(PluginContext(name, argument, labels, engine))
    missing = [verb for verb in _VERBS[group] if not hasattr(made, verb)]
    if missing:
        raise UserError(f"{kind}: what it makes has no {', '.join(missing)}; see docs/plugins.md for the contract")
    return made
