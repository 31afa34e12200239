"""A UIMA CAS, the data model behind INCEpTION: a text, and typed feature structures, some of which mark parts of it.

Only this much of it is read: the text of the first view, and the annotations of layers that hold entities. What is
written has sentences, tokens and named entities. Offsets are UTF-16 units.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from medner.core.errors import BadInputError
from medner.core.records import Document
from medner.store.corpora.inception.layers import (
    NAMED_ENTITY,
    VALUE,
    is_built_in,
    is_entity_layer,
    label_feature,
    layer_label,
    tell_layer,
)
from medner.store.corpora.inception.segments import sentences_of, tokens_of
from medner.store.corpora.inception.utf16 import places_of_utf16, utf16_offsets
from medner.store.corpora.reading.format import Mention, Reading, Writing
from medner.store.corpora.reading.notes import Note

INITIAL_VIEW = "_InitialView"
ANNOTATION = "uima.tcas.Annotation"
STRING = "uima.cas.String"
_SEGMENTATION = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type."
TOKEN, SENTENCE = f"{_SEGMENTATION}Token", f"{_SEGMENTATION}Sentence"
METADATA = "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.DocumentMetaData"
#: A reference of XMI to other feature structures: their numbers.
_REFERENCES = re.compile(r"\d+( \d+)*")
#: Structure that every text of INCEpTION has, and that is no annotation of anybody.
_STRUCTURE = (TOKEN, SENTENCE, METADATA, "uima.tcas.DocumentAnnotation")


@dataclass(frozen=True, slots=True)
class CasType:
    """A type that is written: its name, the one that it extends, and its features that are strings."""

    name: str
    parent: str
    features: tuple[str, ...] = ()


#: The types of what is written.
TYPES = (
    CasType(METADATA, "uima.tcas.DocumentAnnotation", ("documentTitle", "documentId")),
    CasType(NAMED_ENTITY, ANNOTATION, (VALUE,)),
    CasType(SENTENCE, ANNOTATION),
    CasType(TOKEN, ANNOTATION),
)


@dataclass(frozen=True, slots=True)
class CasAnnotation:
    """A marked place; offsets are UTF-16 units, ``features`` those that are strings."""

    type: str
    begin: int
    end: int
    features: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cas:
    """A text and what is marked in it. ``declared`` are the string features of types, where the file says so."""

    text: str
    annotations: tuple[CasAnnotation, ...]
    declared: Mapping[str, Sequence[str]] = field(default_factory=dict)


def mentions_of(reading: Reading, cas: Cas) -> Iterator[Mention]:
    """The entities of a CAS in code points; what else is marked is counted."""
    places = places_of_utf16(cas.text)
    layers: dict[str, list[CasAnnotation]] = defaultdict(list)
    for annotation in cas.annotations:
        layers[annotation.type].append(annotation)
    for name, marked in layers.items():
        if not is_entity_layer(name):
            reading.notes[Note.OTHER_LAYER] += 0 if name in _STRUCTURE else len(marked)
            continue
        feature = _feature_of(name, marked, cas.declared)
        tell_layer(reading, name, feature)
        for one in marked:
            label = layer_label(name) if feature is None else one.features.get(feature)
            if not label:
                reading.notes[Note.NO_LABEL] += 1
            elif one.begin >= one.end:
                reading.notes[Note.NO_PLACE] += 1
            else:
                yield Mention(places.get(one.begin, -1), places.get(one.end, -1), label, None, name)


def _feature_of(name: str, marked: Iterable[CasAnnotation], declared: Mapping[str, Sequence[str]]) -> str | None:
    """The feature that holds the label; where no type is declared, of those that hold more than references."""
    if is_built_in(name):
        return VALUE
    if name in declared:
        return label_feature(declared[name])
    values = [(feature, value) for one in marked for feature, value in one.features.items()]
    return label_feature(dict.fromkeys(feature for feature, value in values if not _REFERENCES.fullmatch(value)))


def view_text(texts: Mapping[str, str | None]) -> tuple[str, str]:
    """The view that is read, and its text: the first one's, else that of the only one that has a text."""
    found = {name: text for name, text in texts.items() if text is not None}
    if INITIAL_VIEW in found:
        return INITIAL_VIEW, found[INITIAL_VIEW]
    if len(found) != 1:
        raise BadInputError(f"a CAS with {len(found)} views that hold a text; the one that is read is {INITIAL_VIEW}")
    return next(iter(found.items()))


def cas_of(document: Document, writing: Writing) -> Cas:
    """A document as a CAS with sentences, tokens and named entities."""
    offsets = utf16_offsets(document.text)

    def marked(name: str, start: int, end: int, **features: str) -> CasAnnotation:
        return CasAnnotation(name, offsets[start], offsets[end], features)

    tokens = tokens_of(document.text)
    whole = {"documentTitle": document.id, "documentId": document.id}
    annotations = (
        marked(METADATA, 0, len(document.text), **whole),
        *(marked(SENTENCE, one.start, one.end) for one in sentences_of(document, tokens)),
        *(marked(TOKEN, one.start, one.end) for one in tokens),
        *(marked(NAMED_ENTITY, one.start, one.end, value=writing.label(one.label)) for one in document.entities),
    )
    return Cas(document.text, annotations)
