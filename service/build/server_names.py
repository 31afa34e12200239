"""What a configuration's models are called on vLLM servers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medner.service.config.agent import AgentConfig
from medner.service.config.bases import base_name
from medner.service.config.configuration import Configuration


def served_base(configuration: Configuration) -> str:
    """The base model's name on a server: its own, or its folder's."""
    return Path(configuration.model).name


def served_filter(configuration: Configuration) -> str | None:
    """The name on servers of the filter's own model, exported or not; None where it has none there."""
    chosen = configuration.filter
    if chosen is None or (chosen.exported_folder is None and configuration.served_candidates is None):
        return None
    return chosen.served_name(configuration.label_set.name)


def span_models(configuration: Configuration, agents: Sequence[AgentConfig] | None = None) -> dict[str | None, str]:
    """The name on servers of the model that runs a base's span taggers, by the base (None: that of the run).

    ``agents`` None: the taggers and judges that the configuration has on servers.
    """
    bases = dict.fromkeys(one.own_base for one in (configuration.served_spans if agents is None else agents))
    return {base: span_model(configuration.label_set.name, base) for base in bases}


def span_model(labels: str, base: str | None) -> str:
    """The name on servers of the model that runs a base's span taggers; None: of the run's base."""
    return f"{labels}.spans" + ("" if base is None else f".{base_name(base)}")


def served_names(configuration: Configuration) -> dict[Path, str]:
    """The name on a server of each adapter that writes text: ``cmeee-v2.symbol``, unless the configuration says so.

    Span taggers are not among them (:func:`span_models`), nor are filters that score hidden states.
    """
    labels = configuration.label_set.name
    names: dict[Path, str] = {}
    for tagger in configuration.asked:
        if tagger.folder is not None and (name := tagger.served_name(labels)) is not None:
            names.setdefault(tagger.folder, name)
    chosen = configuration.filter
    if chosen is not None and chosen.writes and chosen.folder is not None:
        names.setdefault(chosen.folder, chosen.served_name(labels) or "")
    return names
