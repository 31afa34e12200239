"""The index strategy (§3.1): the sentence with the index of each character, then a line an entity.

::

    0:咽 1:痛
    咽痛 | 临床表现 | 0 | 1

Both offsets are inclusive, as in CMeEE.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from medner.agents.strategies.automaton import Edge
from medner.agents.strategies.escaping import escape, escape_char, read_char, utf8
from medner.agents.strategies.locating import StatedEntities, Substrings, number_is_whole, number_pieces
from medner.agents.strategies.symbol import known_labels
from medner.store.labels import LabelSet
from medner.store.records import Decoded, Entity, Rejection, in_order

BAR = " | "


def indexed(text: str) -> str:
    """The sentence with the index of each character, on one line."""
    return " ".join(f"{index}:{escape_char(char, '')}" for index, char in enumerate(text))


class IndexCodec:
    """See the module."""

    name = "index"

    instruction = (
        "第一行写出原句每个字符及其下标，如“0:咽 1:痛”；之后每个实体一行：实体 | 类型 | 起始下标 | 结束下标。"
        "下标从0开始，结束下标含末字。"
    )

    def encode(self, text: str, entities: Sequence[Entity], labels: LabelSet) -> str:
        """The answer that states exactly ``entities``."""
        known_labels(entities, labels)
        lines = [indexed(text)]
        for entity in in_order(entities):
            name = labels.type_of(entity.label).name
            lines.append(BAR.join((escape(entity.text_in(text), ""), name, str(entity.start), str(entity.end - 1))))
        return "\n".join(lines)

    def decode(self, text: str, answer: str, labels: LabelSet) -> Decoded:
        """The entities of every readable line; a wrong first line is refused, the lines after it still count."""
        stated = StatedEntities(text, labels)
        first, *lines = answer.split("\n")
        if first.strip() != indexed(text).strip():
            stated.refuse(Rejection.UNFAITHFUL_COPY, first, "the first line is not the indexed sentence")
            if BAR in first:
                lines.insert(0, first)
        for line in lines:
            if line.strip():
                _state_line(stated, line)
        return stated.decoded()

    def graph(self, text: str, labels: LabelSet) -> IndexGraph:
        """The legal answers for ``text``."""
        return IndexGraph(text, labels)


def _state_line(stated: StatedEntities, line: str) -> None:
    # From the right: only the entity's text can hold a bar of its own.
    fields = line.rsplit(BAR, 3)
    if len(fields) != 4:
        return stated.refuse(Rejection.MALFORMED, line, "expected 实体 | 类型 | 起始下标 | 结束下标")
    written, name, *offsets = fields
    start, end = (_offset(field) for field in offsets)
    chars, at = [], 0
    while at < len(written):
        char, at, _ = read_char(written, at)
        chars.append(char)
    return stated.state("".join(chars), name.strip(), start, None if end is None else end + 1, raw=line)


def _offset(field: str) -> int | None:
    digits = field.strip()
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None


class IndexNode(NamedTuple):
    """A place in an index answer: which part is being written, and what of the line is known."""

    part: str
    places: tuple[int, ...] = ()
    length: int = 0
    digits: str = ""


class IndexGraph:
    """Legal index answers: the indexed sentence, then lines whose entity is a substring and whose type is known."""

    def __init__(self, text: str, labels: LabelSet) -> None:
        self.text = text
        self._first = utf8(indexed(text))
        self._names = [utf8(label.name) for label in labels.types]
        self._substrings = Substrings(text, lambda char: utf8(escape_char(char, "")))

    def start(self) -> Hashable:
        """Before the first line."""
        return IndexNode("first" if self.text else "line")

    def is_final(self, node: Hashable) -> bool:
        """After any whole line."""
        assert isinstance(node, IndexNode)  # noqa: S101  tells mypy what start() made
        return node.part == "line" or (node.part == "end" and number_is_whole(node.digits))

    def edges(self, node: Hashable) -> Iterable[Edge]:
        """What may follow a place."""
        assert isinstance(node, IndexNode)  # noqa: S101
        writers = {
            "first": self._indexed,
            "line": self._new_line,
            "entity": self._entity,
            "type": self._type,
            "start": self._start,
            "end": self._end,
        }
        return writers[node.part](node)

    def _indexed(self, _: IndexNode) -> list[Edge]:
        return [(self._first, IndexNode("line"))]

    def _new_line(self, _: IndexNode) -> list[Edge]:
        return [(b"\n", IndexNode("entity", self._substrings.anywhere))] if self.text else []

    def _entity(self, node: IndexNode) -> list[Edge]:
        edges: list[Edge] = [
            (piece, node._replace(places=places, length=node.length + 1))
            for piece, places in self._substrings.steps(node.places)
        ]
        if node.length:
            edges.append((utf8(BAR), node._replace(part="type")))
        return edges

    def _type(self, node: IndexNode) -> list[Edge]:
        return [(name + utf8(BAR), node._replace(part="start")) for name in self._names]

    def _numbers(self, node: IndexNode) -> list[Edge]:
        pieces = number_pieces(node.digits, len(self.text) - 1)
        return [(piece, node._replace(digits=node.digits + piece.decode())) for piece in pieces]

    def _start(self, node: IndexNode) -> list[Edge]:
        after: list[Edge] = [(utf8(BAR), node._replace(part="end", digits=""))] if node.digits else []
        return self._numbers(node) + after

    def _end(self, node: IndexNode) -> list[Edge]:
        after = self._new_line(node) if node.digits else []
        return self._numbers(node) + after

    def draft(self, node: Hashable) -> bytes:
        """The offsets of the first place where the entity just written stands."""
        assert isinstance(node, IndexNode)  # noqa: S101
        if node.part not in ("start", "end") or node.digits or not node.places:
            return b""
        end = node.places[0]
        return b"%d" % (end - node.length if node.part == "start" else end - 1)
