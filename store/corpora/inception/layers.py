"""Which layers of INCEpTION hold entities, and which of their features is the label."""

from __future__ import annotations

from collections.abc import Iterable

from medner.store.corpora.reading.format import Reading

_NAMED = "de.tudarmstadt.ukp.dkpro.core.api.ner.type."
NAMED_ENTITY = f"{_NAMED}NamedEntity"
#: The feature of named entities that holds their type; another, ``identifier``, is a link to a knowledge base.
VALUE = "value"
#: Types that describe the text and its grammar, and are no entities.
_OTHER = ("uima.", "de.tudarmstadt.ukp.dkpro.core.", "org.dkpro.core.", "de.tudarmstadt.ukp.inception.")
_USUAL = (VALUE, "label", "type", "category", "class", "tag", "name")


def is_entity_layer(name: str) -> bool:
    """Whether a span layer holds entities: the built-in one for them, or one that a project made for itself."""
    return is_built_in(name) or not name.startswith(_OTHER)


def is_built_in(name: str) -> bool:
    """Whether a layer is the built-in one for entities, or a kind of it."""
    return name.startswith(_NAMED)


def label_feature(features: Iterable[str]) -> str | None:
    """The feature that holds the label: one of a usual name, else the first; None for a layer without features."""
    names = list(features)
    by_name = {name.lower(): name for name in reversed(names)}
    return next((by_name[usual] for usual in _USUAL if usual in by_name), names[0] if names else None)


def layer_label(name: str) -> str:
    """The label of entities of a layer without features: its short name."""
    return name.rpartition(".")[2]


def tell_layer(reading: Reading, name: str, feature: str | None) -> None:
    """Says where entities of a layer of a project's own come from."""
    if not is_built_in(name):
        by = "the layer's name" if feature is None else f"its feature {feature}"
        reading.tell(f"entities are those of the layer {name}, labels are {by}")
