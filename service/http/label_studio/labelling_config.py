"""A Label Studio project's labelling config: its texts, and what its labels are called (XML)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from medner.core.errors import UserError

#: Objects with a text whose places are not code points of it.
_OTHER_TEXTS = ("HyperText", "Paragraphs")


@dataclass(frozen=True, slots=True)
class Label:
    """A label of a control. ``written``: what results call it. ``meant``: the names of types that it may stand for.

    ``predicted`` is the attribute ``predicted_values``, Label Studio's word for what models call it; None: not there.
    """

    value: str
    alias: str
    predicted: tuple[str, ...] | None

    @property
    def written(self) -> str:
        """What results call it: Label Studio's rule."""
        return self.alias or self.value

    @property
    def meant(self) -> tuple[str, ...]:
        """The names of types that it may stand for, the first that is one counts."""
        return tuple(name for name in (self.alias, self.value) if name)


@dataclass(frozen=True, slots=True)
class Control:
    """A ``<Labels>`` over a ``<Text>``: their names, the key of the text in a task's data, the labels."""

    name: str
    text: str
    text_key: str
    labels: tuple[Label, ...]


@dataclass(slots=True)
class _Element:
    tag: str
    attributes: Mapping[str, str]
    inside: list[_Element] = field(default_factory=list)

    def all(self) -> Iterator[_Element]:
        """It and all inside it, in order."""
        yield self
        for one in self.inside:
            yield from one.all()

    def has(self, tag: str) -> bool:
        return self.tag.casefold() == tag.casefold()


def controls_of(config: str) -> tuple[Control, ...]:
    """The controls that mark places of texts. UserError, with the way out, for a config without any."""
    elements = list(_parsed(config).all())
    texts = {one.attributes.get("name", ""): one for one in elements if one.has("Text")}
    found = []
    for element in elements:
        if not element.has("Labels"):
            continue
        labels = tuple(_label(one) for one in element.all() if one.has("Label"))
        for target in element.attributes.get("toName", "").split(","):
            text = texts.get(target.strip())
            if text is not None and labels:
                key = _text_key(text)
                found.append(Control(element.attributes.get("name", ""), target.strip(), key, labels))
    if not found:
        raise UserError(_why_none(elements))
    return tuple(found)


def text_of(data: Mapping[str, Any], key: str) -> str | None:
    """The text of a task's data; a key with dots leads into objects. None where there is none."""
    value: Any = data.get(key)
    if value is None and "." in key:
        value = data
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else None


def _label(element: _Element) -> Label:
    given = element.attributes.get("predicted_values")
    predicted = None if given is None else tuple(one.strip() for one in given.split(",") if one.strip())
    return Label(element.attributes.get("value", ""), element.attributes.get("alias", ""), predicted)


def _text_key(text: _Element) -> str:
    value, name = text.attributes.get("value", ""), text.attributes.get("name", "")
    if not value.startswith("$") or len(value) < 2:
        raise UserError(f"Text {name!r} has no variable; give it value='$text'")
    if text.attributes.get("valueType", "text").casefold() == "url":
        raise UserError(f"Text {name!r} is read from a URL (valueType='url'); import the text itself into the tasks")
    if text.attributes.get("encoding", "none").casefold() not in ("", "none"):
        raise UserError(f"Text {name!r} is encoded; import the text itself into the tasks")
    return value[1:]


def _why_none(elements: list[_Element]) -> str:
    marking = [one for one in elements if one.has("Labels")]
    others = [one.tag for one in elements if any(one.has(tag) for tag in _OTHER_TEXTS)]
    if others:
        return f"the labelling config has {others[0]} and no Labels over a Text; put the notes into a Text"
    if not marking:
        return "the labelling config has no Labels; medner needs Labels over a Text"
    if not any(one.has("Label") for element in marking for one in element.all()):
        return "the labelling config's Labels have no Label of their own (labels from the task's data are not read)"
    targets = ", ".join(one.attributes.get("toName", "") for one in marking)
    return f"the labelling config's Labels point to {targets!r}, which is no Text there"


def _parsed(config: str) -> _Element:
    """The config's tree. A DTD is refused: entities can blow a few bytes up to gigabytes."""
    root = _Element("", {})
    path = [root]

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = _Element(tag, attributes)
        path[-1].inside.append(element)
        path.append(element)

    def end(_: str) -> None:
        path.pop()

    def doctype(*_: Any) -> None:
        raise UserError("the labelling config has a DOCTYPE, which is not read; take it out")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(config.encode("utf-8", "replace"), True)
    except (expat.ExpatError, ValueError) as error:
        raise UserError(f"the labelling config is no XML: {error}") from error
    return root
