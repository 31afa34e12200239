"""The index strategy (§3.1): the sentence with the index of each character, then a line an entity.

::

    0:咽 1:痛
    咽痛 | 临床表现 | 0 | 1

Both offsets are inclusive, as in CMeEE.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from medner.agents.strategies.automaton import Edge
from medner.agents.strategies.escaping import escape, escape_char, read_char, utf8
from medner.agents.strategies.grammar import any_of, literal, number_up_to, rule, stretches
from medner.agents.strategies.locating import StatedEntities, StatedNode, Substrings, number_is_complete, number_steps
from medner.agents.strategies.symbol import known_labels
from medner.core.labels import LabelSet
from medner.core.records import Decoded, Entity, Rejection, in_order

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


class IndexGraph:
    """Legal index answers: the indexed sentence, then lines whose entity is a substring and whose type is known."""

    def __init__(self, text: str, labels: LabelSet) -> None:
        self.text = text
        self._end = len(text) - 1
        self._first = utf8(indexed(text))
        # The codec sorts equal spans by code, whatever the set's own order.
        self._names = [utf8(labels.type_of(code).name) for code in sorted(labels.codes)]
        self._substrings = Substrings(text, lambda char: utf8(escape_char(char, "")))

    def start(self) -> Hashable:
        """Before the first line."""
        return StatedNode("first" if self.text else "line", (0, self._end + 1, -1))

    def is_final(self, node: Hashable) -> bool:
        """After any whole line."""
        assert isinstance(node, StatedNode)  # noqa: S101  tells mypy what start() made
        return node.part == "line" or (node.part == "last" and number_is_complete(node.last, *self._last_bounds(node)))

    def edges(self, node: Hashable) -> Iterable[Edge]:
        """What may follow a place."""
        assert isinstance(node, StatedNode)  # noqa: S101
        writers = {
            "first": self._indexed,
            "line": self._new_line,
            "entity": self._entity,
            "type": self._type,
            "start": self._start,
            "last": self._last,
        }
        return writers[node.part](node)

    def _indexed(self, node: StatedNode) -> list[Edge]:
        return [(self._first, node._replace(part="line"))]

    def _new_line(self, node: StatedNode) -> list[Edge]:
        # A line of the last type fits wherever any line does.
        if self._start_bounds(node._replace(rank=len(self._names) - 1))[0] > self._end:
            return []
        return [(b"\n", StatedNode("entity", node.before, self._substrings.anywhere))]

    def _start_bounds(self, node: StatedNode) -> tuple[int, int]:
        """What the line's start may be: the start before it while a shorter or later-typed entity fits there."""
        start = node.before[0]
        return (start if self._highest_last(node) >= start else start + 1), self._end

    def _last_bounds(self, node: StatedNode) -> tuple[int, int]:
        start = int(node.start)
        return start, self._highest_last(node) if start == node.before[0] else self._end

    def _highest_last(self, node: StatedNode) -> int:
        """The last end that a line of this type may state when it has the same start as the line before."""
        _, last, rank = node.before
        return min(self._end, last if node.rank > rank else last - 1)

    def _entity(self, node: StatedNode) -> list[Edge]:
        edges = self._substrings.edges(node)
        if node.length:
            edges.append((utf8(BAR), node._replace(part="type")))
        return edges

    def _type(self, node: StatedNode) -> list[Edge]:
        typed = [node._replace(part="start", rank=rank) for rank in range(len(self._names))]
        return [
            (self._names[after.rank] + utf8(BAR), after) for after in typed if self._start_bounds(after)[0] <= self._end
        ]

    def _start(self, node: StatedNode) -> list[Edge]:
        bounds = self._start_bounds(node)
        edges: list[Edge] = [(piece, node._replace(start=start)) for piece, start in number_steps(node.start, *bounds)]
        if number_is_complete(node.start, *bounds):
            edges.append((utf8(BAR), node._replace(part="last")))
        return edges

    def _last(self, node: StatedNode) -> list[Edge]:
        bounds = self._last_bounds(node)
        edges: list[Edge] = [(piece, node._replace(last=last)) for piece, last in number_steps(node.last, *bounds)]
        if number_is_complete(node.last, *bounds):
            edges += self._new_line(node._replace(before=(int(node.start), int(node.last), node.rank)))
        return edges

    def draft(self, node: Hashable) -> bytes:
        """The offsets of the first place where the entity just written stands."""
        assert isinstance(node, StatedNode)  # noqa: S101
        if not node.places or node.part not in ("start", "last") or (node.last if node.part == "last" else node.start):
            return b""
        low, high = self._start_bounds(node) if node.part == "start" else self._last_bounds(node)
        back = node.length if node.part == "start" else 1
        guesses = [place - back for place in node.places if low <= place - back <= high]
        return b"%d" % guesses[0] if guesses else b""

    def grammar(self) -> str:
        """Wider than the graph: lines in any order, offsets within the text, entities anywhere in it."""
        if not self.text:
            return rule("root", [""])
        number, name, bar = (
            number_up_to(self._end),
            any_of([name.decode("utf-8") for name in self._names]),
            literal(BAR),
        )
        line = " ".join(['"\\n"', "stretch", bar, name, bar, number, bar, number])
        rules = [rule("root", [f"{literal(self._first)} line*"]), rule("line", [line])]
        return "\n".join([*rules, *stretches(self._substrings.pieces)])
