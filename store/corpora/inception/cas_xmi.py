"""UIMA CAS XMI (INCEpTION): a document a file, as XML. ``TypeSystem.xml`` beside it says which features there are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

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
from medner.store.corpora.reading.format import Format, Mention, Reading, Writing
from medner.store.corpora.reading.notes import Loss

_XMI, _CAS = "{http://www.omg.org/XMI}", "{http:///uima/cas.ecore}"
_ID = f"{_XMI}id"
_PLACE = frozenset(("sofa", "begin", "end", _ID))
_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_SIGN = re.compile(r"<(?:[?!].{0,4096}?<)?xmi:XMI\b", re.DOTALL)
_NAMESPACE = re.compile(r"\{http:///(.*)\.ecore\}(.*)")
_NONE = "uima.noNamespace"
#: What no XML can hold.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
TYPE_SYSTEM = "TypeSystem.xml"
_TYPE_SPACE = "{http://uima.apache.org/resourceSpecifier}"


def looks_like_it(head: str) -> bool:
    """Whether a file that begins so is in this format."""
    return _SIGN.match(head.lstrip("\ufeff")) is not None


def understand(reading: Reading, path: Path, content: str) -> tuple[str, list[Mention]]:
    """The text of a file and its entities in code points."""
    cas = _cas(_root(content, path), _declared(path.with_name(TYPE_SYSTEM)))
    return cas.text, list(mentions_of(reading, cas))


def _root(content: str, path: Path) -> ET.Element:
    if "<!DOCTYPE" in content or "<!ENTITY" in content:
        # Entities can name files and grow without end; nothing that writes XMI uses them.
        raise BadInputError("XML with a document type, which is not read; XMI has none", path=path)
    try:
        # XML 1.1, which INCEpTION can write, is XML 1.0 for all that a text holds.
        return ET.fromstring(_DECLARATION.sub("", content, count=1))  # noqa: S314  what is dangerous is refused above
    except ET.ParseError as error:
        raise BadInputError(f"not valid XML: {error}", path=path) from error


def _cas(root: ET.Element, declared: Mapping[str, list[str]]) -> Cas:
    sofas = {one.get("sofaID", ""): one for one in root.iter(f"{_CAS}Sofa")}
    view, text = view_text({name: one.get("sofaString") for name, one in sofas.items()})
    sofa = sofas[view].get(_ID)
    views = [one for one in root.iter(f"{_CAS}View") if one.get("sofa") == sofa]
    members = {number for one in views for number in one.get("members", "").split()}
    found = (_annotation(one) for one in root if one.get("sofa") == sofa and (not views or one.get(_ID) in members))
    return Cas(text, tuple(one for one in found if one is not None), declared)


def _annotation(element: ET.Element) -> CasAnnotation | None:
    begin, end = element.get("begin", ""), element.get("end", "")
    if not (begin.isdecimal() and end.isdecimal()):
        return None
    features = {key: value for key, value in element.attrib.items() if key not in _PLACE}
    return CasAnnotation(_type_name(element.tag), int(begin), int(end), features)


def _type_name(tag: str) -> str:
    match = _NAMESPACE.fullmatch(tag)
    if match is None:
        return tag
    space = match[1].replace("/", ".")
    return match[2] if space == _NONE else f"{space}.{match[2]}"


def _declared(path: Path) -> dict[str, list[str]]:
    """The string features of each type in a type system beside the file; nothing where there is none."""
    if not path.is_file():
        return {}
    root = _root(path.read_text(encoding="utf-8", errors="replace"), path)
    found: dict[str, list[str]] = {}
    for kind in root.iter(f"{_TYPE_SPACE}typeDescription"):
        features = [
            one.findtext(f"{_TYPE_SPACE}name", "")
            for one in kind.iter(f"{_TYPE_SPACE}featureDescription")
            if one.findtext(f"{_TYPE_SPACE}rangeTypeName") == STRING
        ]
        found[kind.findtext(f"{_TYPE_SPACE}name", "")] = features
    return found


def written(document: Document, writing: Writing) -> str:
    """A document's file."""
    text, replaced = _ILLEGAL.subn("\ufffd", document.text)
    writing.losses[Loss.CONTROL] += replaced
    cas = cas_of(replace(document, text=text), writing)
    spaces = {kind.name.rpartition(".")[0]: f"type{number}" for number, kind in enumerate(TYPES)}
    names = "".join(f' xmlns:{prefix}="http:///{space.replace(".", "/")}.ecore"' for space, prefix in spaces.items())
    last = len(cas.annotations) + 1
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore"{names} xmi:version="2.0">',
        '  <cas:NULL xmi:id="0"/>',
        *(_element(number, one, spaces) for number, one in enumerate(cas.annotations, 2)),
        f'  <cas:Sofa xmi:id="1" sofaNum="1" sofaID="{INITIAL_VIEW}" mimeType="text" sofaString={_attribute(text)}/>',
        f'  <cas:View sofa="1" members="{" ".join(map(str, range(2, last + 1)))}"/>',
        "</xmi:XMI>",
    ]
    return "\n".join(lines) + "\n"


def _element(number: int, one: CasAnnotation, spaces: Mapping[str, str]) -> str:
    space, _, name = one.type.rpartition(".")
    features = "".join(f" {key}={_attribute(_ILLEGAL.sub(chr(0xFFFD), value))}" for key, value in one.features.items())
    return f'  <{spaces[space]}:{name} xmi:id="{number}" sofa="1" begin="{one.begin}" end="{one.end}"{features}/>'


def _attribute(value: str) -> str:
    return quoteattr(value, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def type_system() -> str:
    """The types of what is written, as other tools want them beside the files."""
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *_type_lines(), ""])


def _type_lines() -> Iterator[str]:
    yield '<typeSystemDescription xmlns="http://uima.apache.org/resourceSpecifier">'
    yield "  <types>"
    for kind in TYPES:
        yield "    <typeDescription>"
        yield f"      <name>{kind.name}</name>"
        yield f"      <supertypeName>{kind.parent}</supertypeName>"
        yield "      <features>"
        for feature in kind.features:
            name, value = f"<name>{feature}</name>", f"<rangeTypeName>{STRING}</rangeTypeName>"
            yield f"        <featureDescription>{name}{value}</featureDescription>"
        yield "      </features>"
        yield "    </typeDescription>"
    yield "  </types>"
    yield "</typeSystemDescription>"


FORMAT: Format = one_a_file(
    "cas-xmi",
    "UIMA CAS XMI (INCEpTION), one document a file",
    ".xmi",
    understand,
    written,
    expects="annotations of a span layer with the labels as a feature",
    beside={TYPE_SYSTEM: type_system},
)
