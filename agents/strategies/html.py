"""The HTML strategy (§3.1): the sentence with ``<类型:实体>`` before each entity and ``</类型:实体>`` after it.

A start and an end tag belong together when type and entity text are the same and that text stands between them, so
nested and even crossing entities are stated without doubt.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from medner.agents.strategies.automaton import Edge
from medner.agents.strategies.escaping import escape, escape_char, read_char, utf8
from medner.agents.strategies.grammar import any_of, literal, rule, stretches
from medner.agents.strategies.symbol import known_labels
from medner.core.labels import LabelSet
from medner.core.records import Decoded, Entity, Rejected, Rejection, in_order

SPECIAL = "<>"


class HtmlCodec:
    """See the module."""

    name = "html"

    instruction = (
        "完整抄写原句，在每个实体前写<类型:实体>，在实体后写</类型:实体>，首尾标签中的类型和实体必须一致，"
        "实体可以嵌套。原句中的尖括号和反斜杠前加反斜杠，换行写作\\n。"
    )

    def encode(self, text: str, entities: Sequence[Entity], labels: LabelSet) -> str:
        """The answer that states exactly ``entities``."""
        known_labels(entities, labels)
        ordered = in_order(entities)
        parts = []
        for position in range(len(text) + 1):
            ending = [entity for entity in ordered if entity.end == position]
            starting = [entity for entity in ordered if entity.start == position]
            parts += [f"</{_tag(text, entity, labels)}>" for entity in _closing_order(ending)]
            parts += [f"<{_tag(text, entity, labels)}>" for entity in starting]
            parts.append(escape(text[position : position + 1], SPECIAL))
        return "".join(parts)

    def decode(self, text: str, answer: str, labels: LabelSet) -> Decoded:
        """The entities whose tags match, read until the answer strays from ``text``."""
        reader = _Reader(text, labels)
        at = 0
        while at < len(answer) and not reader.strayed:
            char, after, escaped = read_char(answer, at)
            if char == "<" and not escaped:
                end = _tag_end(answer, after)
                if end is None:
                    reader.refuse(Rejection.TRUNCATED, answer[at:], "a tag is not closed")
                    break
                reader.tag(answer[after:end], answer[at : end + 1])
                at = end + 1
            else:
                reader.char(char)
                at = after
        return reader.decoded()

    def graph(self, text: str, labels: LabelSet) -> HtmlGraph:
        """The legal answers for ``text``."""
        return HtmlGraph(text, labels)


def _closing_order(ending: Iterable[Entity]) -> list[Entity]:
    """Inner entities close first; of the same span, the one opened last."""
    return sorted(ending, key=lambda entity: (-entity.start, entity.label))


def _tag(text: str, entity: Entity, labels: LabelSet) -> str:
    return f"{labels.type_of(entity.label).name}:{escape(entity.text_in(text), SPECIAL)}"


def _tag_end(answer: str, at: int) -> int | None:
    """Where the tag that is open at ``at`` ends (its ``>``), or None."""
    while at < len(answer):
        char, after, escaped = read_char(answer, at)
        if char == ">" and not escaped:
            return at
        at = after
    return None


def _unescape(written: str) -> str:
    chars, at = [], 0
    while at < len(written):
        char, at, _ = read_char(written, at)
        chars.append(char)
    return "".join(chars)


class _Reader:
    """Reads an answer left to right and matches its tags."""

    def __init__(self, text: str, labels: LabelSet) -> None:
        self.text = text
        self.labels = labels
        self.position = 0
        self.strayed = False
        self._opened: list[tuple[int, str, str, str]] = []
        self._entities: list[Entity] = []
        self._rejected: list[Rejected] = []

    def refuse(self, reason: Rejection, raw: str, detail: str = "") -> None:
        self._rejected.append(Rejected(reason, raw, detail))

    def char(self, char: str) -> None:
        if self.position < len(self.text) and self.text[self.position] == char:
            self.position += 1
        elif not (char.isspace() and self.position in (0, len(self.text))):
            self.strayed = True
            self.refuse(Rejection.UNFAITHFUL_COPY, char, f"strays from the sentence at {self.position}")

    def tag(self, inner: str, raw: str) -> None:
        closing = inner.startswith("/")
        name, colon, written = inner.removeprefix("/").partition(":")
        label, part = self.labels.resolve(name.strip()), _unescape(written)
        if not colon:
            self.refuse(Rejection.MALFORMED, raw, "a tag needs 类型:实体")
        elif label is None:
            self.refuse(Rejection.UNKNOWN_LABEL, raw, name)
        elif not part:
            self.refuse(Rejection.EMPTY, raw)
        elif closing:
            self._close(label, part, raw)
        else:
            self._opened.append((self.position, label, part, raw))

    def _close(self, label: str, part: str, raw: str) -> None:
        start = self.position - len(part)
        for index, (opened, its_label, its_part, _) in enumerate(self._opened):
            if (opened, its_label, its_part) == (start, label, part):
                del self._opened[index]
                break
        else:
            return self.refuse(Rejection.UNBALANCED, raw, "no start tag with this type and text stands where it should")
        if self.text[start : self.position] != part:
            return self.refuse(Rejection.NOT_IN_TEXT, raw, part)
        entity = Entity(start, self.position, label)
        if entity in self._entities:
            return self.refuse(Rejection.DUPLICATE, raw, part)
        self._entities.append(entity)
        return None

    def decoded(self) -> Decoded:
        for _, _, _, raw in self._opened:
            self.refuse(Rejection.UNBALANCED, raw, "never closed where its entity ends")
        if not self.strayed and self.text[self.position :].strip():
            self.refuse(Rejection.TRUNCATED, "", f"ends at {self.position} of {len(self.text)}")
        return Decoded(in_order(self._entities), tuple(self._rejected))


class HtmlNode(NamedTuple):
    """A place in an HTML answer. ``opened`` are the open entities as (end, start, label index), sorted.

    ``naming`` is the (label index, end so far) of a start tag whose entity is being written, or None. ``last`` is
    the last start tag at this position, which keeps start tags in order so that an answer ends.
    """

    position: int
    opened: tuple[tuple[int, int, int], ...] = ()
    naming: tuple[int, int] | None = None
    last: tuple[int, int] | None = None


class HtmlGraph:
    """Legal HTML answers: faithful copy, start tags that name the text that follows, each closed where it ends."""

    def __init__(self, text: str, labels: LabelSet) -> None:
        self.text = text
        self._names = [utf8(label.name) for label in labels.types]
        # The codec sorts equal spans by code; the graph must take the same order for its answers to be the same.
        codes = sorted(labels.codes)
        self._rank = [codes.index(code) for code in labels.codes]
        self._chars = [utf8(escape_char(char, SPECIAL)) for char in text]

    def _written(self, start: int, end: int) -> bytes:
        return b"".join(self._chars[start:end])

    def start(self) -> Hashable:
        """Before the sentence."""
        return HtmlNode(0)

    def is_final(self, node: Hashable) -> bool:
        """After the sentence, with every tag closed."""
        assert isinstance(node, HtmlNode)  # noqa: S101  tells mypy what start() made
        return node.position == len(self.text) and not node.opened and node.naming is None

    def edges(self, node: Hashable) -> Iterable[Edge]:
        """What may follow a place."""
        assert isinstance(node, HtmlNode)  # noqa: S101
        if node.naming is not None:
            return self._name(node, *node.naming)
        due = [item for item in node.opened if item[0] == node.position]
        if due:
            return [self._close(node, due)]
        if node.position == len(self.text):
            return []
        copy = (self._chars[node.position], HtmlNode(node.position + 1, node.opened))
        tags = [
            (b"<" + name + b":", node._replace(naming=(label, node.position)))
            for label, name in enumerate(self._names)
            if self._tag_may_follow(node, label, node.position + 1)
        ]
        return [copy, *tags]

    def _close(self, node: HtmlNode, due: list[tuple[int, int, int]]) -> Edge:
        item = min(due, key=lambda item: (-item[1], self._rank[item[2]]))
        end, start, label = item
        after = tuple(other for other in node.opened if other != item)
        return b"</" + self._names[label] + b":" + self._written(start, end) + b">", node._replace(opened=after)

    def _tag_may_follow(self, node: HtmlNode, label: int, end: int) -> bool:
        """Whether some start tag of ``label`` that reaches ``end`` keeps the order: longer first, then code."""
        if node.last is None:
            return True
        last_end, last_label = node.last
        return end < last_end or (end == last_end and self._rank[label] > self._rank[last_label])

    def _name(self, node: HtmlNode, label: int, end: int) -> list[Edge]:
        edges: list[Edge] = []
        if end < len(self.text) and self._tag_may_follow(node, label, end + 1):
            edges.append((self._chars[end], node._replace(naming=(label, end + 1))))
        if end > node.position:
            opened = tuple(sorted((*node.opened, (end, node.position, label))))
            edges.append((b">", HtmlNode(node.position, opened, None, (end, label))))
        return edges

    def draft(self, node: Hashable) -> bytes:
        """The sentence up to where a tag must close."""
        assert isinstance(node, HtmlNode)  # noqa: S101
        if node.naming is not None:
            return b""
        until = min((end for end, _, _ in node.opened), default=len(self.text))
        return self._written(node.position, until)

    def grammar(self) -> str:
        """Wider than the graph: a faithful copy, start tags that name what follows, end tags that name any stretch."""
        end = len(self._chars)
        rules = [rule("root", ["at0"]), rule("type", [any_of([name.decode("utf-8") for name in self._names])])]
        if end:
            rules += [*stretches(self._chars), rule("close", ['"</" type ":" stretch ">"'])]
        for at, char in enumerate(map(literal, self._chars)):
            rules.append(rule(f"at{at}", [f"{'close* ' if at else ''}open{at}* {char} at{at + 1}"]))
            rules.append(rule(f"open{at}", [f'"<" type ":" from{at} ">"']))
        rules.append(rule(f"at{end}", ["close*" if end else ""]))
        return "\n".join(rules)
