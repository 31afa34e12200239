"""What a configuration's models are called on vLLM servers."""

from __future__ import annotations

from pathlib import Path

from medner.service.config.configuration import Configuration


def served_base(configuration: Configuration) -> str:
    """The base model's name on a server: its own, or its folder's."""
    return Path(configuration.model).name


def served_filter(configuration: Configuration) -> str | None:
    """The name on a server of the exported filter; None where there is none."""
    chosen = configuration.filter
    if chosen is None or chosen.exported_folder is None:
        return None
    return chosen.served_name(configuration.label_set.name)


def served_names(configuration: Configuration) -> dict[Path, str]:
    """The name on a server of each adapter that writes text: ``cmeee-v2.symbol``, unless the configuration says so.

    Span taggers, and filters that score hidden states, are not among them: no server runs their adapters.
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
