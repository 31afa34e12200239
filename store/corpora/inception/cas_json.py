"""UIMA CAS JSON (INCEpTION): a document a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from medner.core.errors import BadInputError
from medner.core.records import Document
from medner.store.corpora.inception.cas import (
    INITIAL_VIEW,
    STRING,
    TYPES,
    Cas,
    CasAnnotation,
    cas_of,
    mentions_of,
    view_text,
)
from medner.store.corpora.inception.files import one_a_file
from medner.store.corpora.reading.format import Mention, Reading, Writing

_SIGN = re.compile(r'\{\s*"%(TYPES|FEATURE_STRUCTURES|VIEWS|FLAGS|HEADER)"\s*:')
_SOFA = "uima.cas.Sofa"
_Fields = Mapping[str, object]


def looks_like_it(head: str) -> bool:
    """Whether a file that begins so is in this format."""
    return _SIGN.match(head) is not None


def understand(reading: Reading, path: Path, content: str) -> tuple[str, list[Mention]]:
    """The text of a file and its entities in code points."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"not valid JSON: {error}", path=path) from error
    cas = _cas(_object(data))
    return cas.text, list(mentions_of(reading, cas))


def _cas(data: _Fields) -> Cas:
    structures = _structures(data.get("%FEATURE_STRUCTURES"))
    sofas = {str(one.get("sofaID")): number for number, one in structures.items() if one.get("%TYPE") == _SOFA}
    texts = {name: _text_or_none(structures[number].get("sofaString")) for name, number in sofas.items()}
    view, text = view_text(texts)
    members = _object(_object(data.get("%VIEWS")).get(view)).get("%MEMBERS")
    chosen = members if isinstance(members, list) else [*structures]
    annotations = tuple(
        found for one in chosen if (found := _annotation(structures.get(str(one)), sofas[view])) is not None
    )
    return Cas(text, annotations, _declared(_object(data.get("%TYPES"))))


def _structures(found: object) -> dict[str, _Fields]:
    """The feature structures by their ids, from a list or an object."""
    if isinstance(found, list):
        return {str(one.get("%ID")): one for one in found if isinstance(one, dict)}
    return {str(key): one for key, one in _object(found).items() if isinstance(one, dict)}


def _annotation(structure: _Fields | None, sofa: str) -> CasAnnotation | None:
    """The marked place that a feature structure is; None for another kind, or in another text."""
    if structure is None or str(structure.get("@sofa", sofa)) != sofa:
        return None
    begin, end = structure.get("begin"), structure.get("end")
    if not (isinstance(begin, int) and isinstance(end, int)):
        return None
    features = {key: value for key, value in structure.items() if key[:1] not in "%@#^" and isinstance(value, str)}
    return CasAnnotation(str(structure.get("%TYPE")), begin, end, features)


def _declared(types: _Fields) -> dict[str, list[str]]:
    """The string features of each type, with those that it inherits."""
    own = {
        name: [
            key
            for key, one in _object(kind).items()
            if not key.startswith("%") and _object(one).get("%RANGE") == STRING
        ]
        for name, kind in types.items()
    }

    def all_of(name: str, seen: frozenset[str] = frozenset()) -> list[str]:
        if name not in own or name in seen:
            return []
        return [*all_of(str(_object(types[name]).get("%SUPER_TYPE")), seen | {name}), *own[name]]

    return {name: all_of(name) for name in own}


def _object(value: object) -> _Fields:
    return value if isinstance(value, dict) else {}


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def written(document: Document, writing: Writing) -> str:
    """A document's file."""
    cas = cas_of(document, writing)
    structures: list[dict[str, object]] = [
        {
            "%ID": 1,
            "%TYPE": _SOFA,
            "sofaNum": 1,
            "sofaID": INITIAL_VIEW,
            "mimeType": "text",
            "sofaString": document.text,
        }
    ]
    for number, one in enumerate(cas.annotations, 2):
        place = {"%ID": number, "%TYPE": one.type, "@sofa": 1, "begin": one.begin, "end": one.end}
        structures.append({**place, **one.features})
    members = list(range(2, len(structures) + 1))
    data = {
        "%TYPES": {
            kind.name: {
                "%NAME": kind.name,
                "%SUPER_TYPE": kind.parent,
                **{feature: {"%NAME": feature, "%RANGE": STRING} for feature in kind.features},
            }
            for kind in TYPES
        },
        "%FEATURE_STRUCTURES": structures,
        "%VIEWS": {INITIAL_VIEW: {"%SOFA": 1, "%MEMBERS": members}},
    }
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


FORMAT = one_a_file(
    "cas-json",
    "UIMA CAS JSON (INCEpTION), one document a file",
    ".json",
    understand,
    written,
    expects="annotations of a span layer with the labels as a feature",
)
