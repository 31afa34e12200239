"""The symbol strategy (§3.1): a line for each type that is present, the sentence again with its entities in brackets.

::

    疾病：[原发性溃疡]逐渐增多
    身体：...

Types stand in the label set's order. Entities of one type that overlap one another (rare) go to further lines of
that type, so that within a line brackets never nest and a reader needs no stack.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from medner.agents.strategies.automaton import Edge
from medner.agents.strategies.escaping import escape, escape_char, read_char, utf8
from medner.agents.strategies.grammar import literal, rule
from medner.core.labels import LabelSet
from medner.core.records import Decoded, Entity, Rejected, Rejection, in_order

SPECIAL = "[]"
COLON = "："
MAX_LAYERS = 3

#: Characters before which an entity probably ends. Only a guess for drafting, it never changes an answer: in the
#: CMeEE-V2 training set 47 % of the entities end before the first of these, 7 % later.
BOUNDARIES = frozenset("，。、；：？！（）()和与及或等可时为是者以而也如由并伴的 ")


class SymbolCodec:
    """See the module."""

    name = "symbol"

    instruction = (
        "每种出现的实体类型输出一行：先写类型和“：”，再完整抄写原句，用“[”和“]”标出该类型的每个实体。"
        "没有出现的类型不输出。原句中的方括号和反斜杠前加反斜杠，换行写作\\n。"
    )

    def encode(self, text: str, entities: Sequence[Entity], labels: LabelSet) -> str:
        """The answer that states exactly ``entities``."""
        known_labels(entities, labels)
        lines = []
        for label in labels.types:
            mine = [entity for entity in in_order(entities) if entity.label == label.code]
            lines += [f"{label.name}{COLON}{_bracketed(text, layer)}" for layer in layers(mine)]
        return "\n".join(lines)

    def decode(self, text: str, answer: str, labels: LabelSet) -> Decoded:
        """The entities of every faithful line; an unfaithful line gives those before the place where it strays."""
        entities: list[Entity] = []
        rejected: list[Rejected] = []
        for line in answer.split("\n"):
            if not line.strip():
                continue
            name, colon, body = _split_header(line)
            label = labels.resolve(name.strip())
            if not colon:
                rejected.append(Rejected(Rejection.MALFORMED, line, "no type and colon at the start of the line"))
            elif label is None:
                rejected.append(Rejected(Rejection.UNKNOWN_LABEL, line, name.strip()))
            else:
                found, refused = _read_line(text, body, label)
                rejected += refused
                for entity in found:
                    if entity in entities:
                        rejected.append(Rejected(Rejection.DUPLICATE, line, entity.text_in(text)))
                    else:
                        entities.append(entity)
        return Decoded(in_order(entities), tuple(rejected))

    def graph(self, text: str, labels: LabelSet) -> SymbolGraph:
        """The legal answers for ``text``."""
        return SymbolGraph(text, labels)


def _split_header(line: str) -> tuple[str, str, str]:
    """Type, colon and body of a line; a half-width colon, which untuned models write, is read as well."""
    name, colon, body = line.partition(COLON)
    narrow = line.partition(":")
    return narrow if narrow[1] and len(narrow[0]) < len(name) else (name, colon, body)


def known_labels(entities: Iterable[Entity], labels: LabelSet) -> None:
    """Raises UserError when an entity's label is not in the set."""
    for entity in entities:
        labels.type_of(entity.label)


def layers(entities: Sequence[Entity]) -> list[list[Entity]]:
    """The entities (in order) in as few groups as a first fit finds, none overlapping within a group."""
    groups: list[list[Entity]] = []
    for entity in entities:
        for group in groups:
            if group[-1].end <= entity.start:
                group.append(entity)
                break
        else:
            groups.append([entity])
    return groups


def _bracketed(text: str, layer: Sequence[Entity]) -> str:
    parts, position = [], 0
    for entity in layer:
        parts.append(escape(text[position : entity.start], SPECIAL))
        parts.append("[" + escape(entity.text_in(text), SPECIAL) + "]")
        position = entity.end
    parts.append(escape(text[position:], SPECIAL))
    return "".join(parts)


def _read_line(text: str, body: str, label: str) -> tuple[list[Entity], list[Rejected]]:
    """The entities of one line's body, read until it strays from ``text``. Nested brackets are read too."""
    found: list[Entity] = []
    refused: list[Rejected] = []
    opened: list[int] = []
    position = at = 0
    while at < len(body):
        char, after, escaped = read_char(body, at)
        if char == "[" and not escaped:
            opened.append(position)
        elif char == "]" and not escaped:
            if not opened:
                refused.append(Rejected(Rejection.UNBALANCED, body, f"']' without '[' at {at}"))
            elif opened[-1] == position:
                opened.pop()
                refused.append(Rejected(Rejection.EMPTY, body, f"'[]' at {at}"))
            else:
                found.append(Entity(opened.pop(), position, label))
        elif position < len(text) and text[position] == char:
            position += 1
        elif char.isspace() and (position == 0 or position == len(text)):
            pass  # models like to pad the line; the copy itself is still faithful
        else:
            refused.append(Rejected(Rejection.UNFAITHFUL_COPY, body, f"strays from the sentence at {position}"))
            break
        at = after
    else:
        if position < len(text) and text[position:].strip():
            refused.append(Rejected(Rejection.TRUNCATED, body, f"ends at {position} of {len(text)}"))
    refused += [Rejected(Rejection.UNBALANCED, body, f"'[' at {start} is never closed") for start in opened]
    return found, refused


class SymbolNode(NamedTuple):
    """A place in a symbol answer. ``opened`` is where the open bracket stands in the source, or -1."""

    label: int
    layer: int
    position: int
    opened: int


class SymbolGraph:
    """Legal symbol answers: faithful lines, types in order, brackets balanced and never empty.

    A type has at most :data:`MAX_LAYERS` lines, so an answer ends. Entities that overlap more of their own type than
    that at one place have no legal answer; none do in the corpora.
    """

    def __init__(self, text: str, labels: LabelSet) -> None:
        self.text = text
        self.labels = labels
        self._chars = [utf8(escape_char(char, SPECIAL)) for char in text]
        self._headers = [utf8(label.name + COLON) for label in labels.types]
        self._whole = b"".join(self._chars)
        self._offsets = [0, *accumulate(map(len, self._chars))]

    def start(self) -> Hashable:
        """Before the first line."""
        return SymbolNode(-1, 0, -1, -1)

    def edges(self, node: Hashable) -> Iterable[Edge]:
        """What may follow a place."""
        assert isinstance(node, SymbolNode)  # noqa: S101  tells mypy what start() made
        if node.position < 0:
            return self._header_edges(node, b"")
        edges: list[Edge] = []
        if node.position < len(self.text):
            edges.append((self._chars[node.position], node._replace(position=node.position + 1)))
            if node.opened < 0:
                edges.append((b"[", node._replace(opened=node.position)))
        if 0 <= node.opened < node.position:
            edges.append((b"]", node._replace(opened=-1)))
        if node.position == len(self.text) and node.opened < 0:
            edges += self._header_edges(node, b"\n")
        return edges

    def _header_edges(self, node: SymbolNode, before: bytes) -> list[Edge]:
        again = [] if node.label < 0 or node.layer + 1 >= MAX_LAYERS else [node._replace(layer=node.layer + 1)]
        later = [SymbolNode(label, 0, -1, -1) for label in range(node.label + 1, len(self._headers))]
        return [(before + self._headers[line.label], line._replace(position=0)) for line in again + later]

    def is_final(self, node: Hashable) -> bool:
        """An answer ends after a whole line, or before the first: no entity at all."""
        assert isinstance(node, SymbolNode)  # noqa: S101
        return node.position < 0 or (node.position == len(self.text) and node.opened < 0)

    def draft(self, node: Hashable) -> bytes:
        """The rest of the sentence; an open bracket closes before the next character that seldom stands in entities."""
        assert isinstance(node, SymbolNode)  # noqa: S101
        if node.position < 0:
            return b""
        if node.opened < 0:
            return self._rest(node.position)
        end = max(node.position, node.opened + 1)
        while end < len(self.text) and self.text[end] not in BOUNDARIES:
            end += 1
        return b"".join(self._chars[node.position : end]) + b"]" + self._rest(end)

    def _rest(self, position: int) -> bytes:
        return self._whole[self._offsets[position] :]

    def grammar(self) -> str:
        """The same answers as rules: ``out3`` and ``in3`` go on at character 3 outside and inside brackets."""
        end = len(self._chars)
        rules = [rule("root", ["", *(self._line(label, 0) for label in range(len(self._headers)))])]
        for label in range(len(self._headers)):
            rules += [rule(f"after{label}x{layer}", self._ways_on(label, layer)) for layer in range(MAX_LAYERS)]
        for at, char in enumerate(map(literal, self._chars)):
            rules.append(rule(f"out{at}", [f"{char} out{at + 1}", f'"[" {char} in{at + 1}']))
            if at:
                rules.append(rule(f"in{at}", [f"{char} in{at + 1}", f'"]" out{at}']))
        rules.append(rule(f"out{end}", [""]))
        if end:
            rules.append(rule(f"in{end}", ['"]"']))
        return "\n".join(rules)

    def _line(self, label: int, layer: int) -> str:
        return f"{literal(self._headers[label])} out0 after{label}x{layer}"

    def _ways_on(self, label: int, layer: int) -> list[str]:
        again = [self._line(label, layer + 1)] if layer + 1 < MAX_LAYERS else []
        later = [self._line(other, 0) for other in range(label + 1, len(self._headers))]
        return ["", *(f'"\\n" {line}' for line in again + later)]
