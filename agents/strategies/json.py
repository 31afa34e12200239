"""The JSON strategy (§3.1): a list of objects with start_idx, end_idx (inclusive, as in CMeEE), type and entity."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from medner.agents.strategies.automaton import Edge
from medner.agents.strategies.escaping import utf8
from medner.agents.strategies.grammar import any_of, literal, number_up_to, rule, stretches
from medner.agents.strategies.locating import StatedEntities, StatedNode, Substrings, number_is_complete, number_steps
from medner.agents.strategies.symbol import known_labels
from medner.core.labels import LabelSet
from medner.core.records import Decoded, Entity, Rejection, in_order

KEYS = ("start_idx", "end_idx", "type", "entity")
#: Before and behind the list.
_NOTHING = (0, -1, -1)


class JsonCodec:
    """See the module."""

    name = "json"

    instruction = (
        '输出一个JSON数组，每个实体一个对象：{"start_idx": 起始下标, "end_idx": 结束下标, "type": "类型", '
        '"entity": "实体原文"}。下标从0开始按字符计，结束下标含末字。没有实体时输出[]。'
    )

    def encode(self, text: str, entities: Sequence[Entity], labels: LabelSet) -> str:
        """The answer that states exactly ``entities``."""
        known_labels(entities, labels)
        records = [
            {
                "start_idx": entity.start,
                "end_idx": entity.end - 1,
                "type": labels.type_of(entity.label).name,
                "entity": entity.text_in(text),
            }
            for entity in in_order(entities)
        ]
        return json.dumps(records, ensure_ascii=False)

    def decode(self, text: str, answer: str, labels: LabelSet) -> Decoded:
        """The entities of every readable object, also of an answer that is cut off or has prose around it."""
        stated = StatedEntities(text, labels)
        for raw, value in _objects(answer, stated):
            _state(stated, raw, value)
        return stated.decoded()

    def graph(self, text: str, labels: LabelSet) -> JsonGraph:
        """The legal answers for ``text``."""
        return JsonGraph(text, labels)


def _objects(answer: str, stated: StatedEntities) -> Iterable[tuple[str, Any]]:
    """The objects of an answer, with their raw text; what cannot be parsed is refused and passed over."""
    decoder = json.JSONDecoder()
    at = answer.find("{")
    if at < 0 and "[]" not in answer.replace(" ", ""):
        stated.refuse(Rejection.MALFORMED, answer, "no JSON object and no empty list")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(answer, at)
        except (json.JSONDecodeError, RecursionError) as error:
            following = answer.find("{", at + 1)
            raw = answer[at : following if following >= 0 else len(answer)]
            reason = Rejection.MALFORMED if following >= 0 or raw.rstrip().endswith("}") else Rejection.TRUNCATED
            stated.refuse(reason, raw, str(error))
            at = following
            continue
        yield answer[at:end], value
        at = answer.find("{", end)


def _state(stated: StatedEntities, raw: str, value: Any) -> None:
    part, label = value.get("entity"), value.get("type")
    if not isinstance(part, str) or not isinstance(label, str):
        return stated.refuse(Rejection.MALFORMED, raw, "entity and type must be strings")
    start, last = (value.get(key) for key in KEYS[:2])
    usable = all(isinstance(offset, int) and not isinstance(offset, bool) for offset in (start, last))
    return stated.state(part, label, start if usable else None, last + 1 if usable else None, raw=raw)


class JsonGraph:
    """Legal JSON answers: valid JSON, types of the set, offsets within the text, entities that are substrings of it."""

    def __init__(self, text: str, labels: LabelSet) -> None:
        self.text = text
        self._end = len(text) - 1
        # The codec sorts equal spans by code, whatever the set's own order.
        self._names = [utf8(labels.type_of(code).name) for code in sorted(labels.codes)]
        self._substrings = Substrings(text, lambda char: utf8(json.dumps(char, ensure_ascii=False)[1:-1]))

    def start(self) -> Hashable:
        """Before the list."""
        return StatedNode("list", _NOTHING)

    def is_final(self, node: Hashable) -> bool:
        """After the list."""
        assert isinstance(node, StatedNode)  # noqa: S101  tells mypy what start() made
        return node.part == "end"

    def edges(self, node: Hashable) -> Iterable[Edge]:
        """What may follow a place."""
        assert isinstance(node, StatedNode)  # noqa: S101
        writers = {
            "list": self._list,
            "start": self._start,
            "last": self._last,
            "type": self._type,
            "entity": self._entity,
            "next": self._next,
        }
        return writers[node.part](node) if node.part in writers else []

    def _list(self, _: StatedNode) -> list[Edge]:
        first: list[Edge] = [(b'[{"start_idx": ', StatedNode("start", (0, self._end + 1, -1)))] if self.text else []
        return [*first, (b"[]", StatedNode("end", _NOTHING))]

    def _next(self, node: StatedNode) -> list[Edge]:
        more: list[Edge] = []
        if self._lowest_start(node.before) <= self._end:
            more.append((b', {"start_idx": ', StatedNode("start", node.before)))
        return [*more, (b"]", StatedNode("end", _NOTHING))]

    def _lowest_start(self, before: tuple[int, int, int]) -> int:
        """The first start a record after ``before`` may have: the same one while a shorter or later-typed one fits."""
        start = before[0]
        return start if self._highest_last(before) >= start else start + 1

    def _highest_last(self, before: tuple[int, int, int]) -> int:
        """The last end that a record with the same start as ``before`` may have."""
        return before[1] if before[2] + 1 < len(self._names) else before[1] - 1

    def _last_bounds(self, node: StatedNode) -> tuple[int, int]:
        start = int(node.start)
        return start, min(self._end, self._highest_last(node.before)) if start == node.before[0] else self._end

    def _start(self, node: StatedNode) -> list[Edge]:
        bounds = self._lowest_start(node.before), self._end
        edges: list[Edge] = [(piece, node._replace(start=start)) for piece, start in number_steps(node.start, *bounds)]
        if number_is_complete(node.start, *bounds):
            edges.append((b', "end_idx": ', node._replace(part="last")))
        return edges

    def _last(self, node: StatedNode) -> list[Edge]:
        bounds = self._last_bounds(node)
        edges: list[Edge] = [(piece, node._replace(last=last)) for piece, last in number_steps(node.last, *bounds)]
        if number_is_complete(node.last, *bounds):
            edges.append((b', "type": "', node._replace(part="type")))
        return edges

    def _type(self, node: StatedNode) -> list[Edge]:
        same_span = (int(node.start), int(node.last)) == node.before[:2]
        first = node.before[2] + 1 if same_span else 0
        after = node._replace(part="entity", places=self._substrings.anywhere)
        return [
            (self._names[rank] + b'", "entity": "', after._replace(rank=rank))
            for rank in range(first, len(self._names))
        ]

    def _entity(self, node: StatedNode) -> list[Edge]:
        edges = self._substrings.edges(node)
        if node.length:
            edges.append((b'"}', StatedNode("next", (int(node.start), int(node.last), node.rank))))
        return edges

    def draft(self, node: Hashable) -> bytes:
        """The entity that the offsets already written stand for."""
        assert isinstance(node, StatedNode)  # noqa: S101
        if node.part != "entity":
            return b""
        at, end = int(node.start) + node.length, int(node.last) + 1
        if not at < end or at not in node.places:
            return b""
        return self._substrings.written(at, end) + b'"}'

    def grammar(self) -> str:
        """Wider than the graph: records in any order, offsets within the text, entities anywhere in it."""
        if not self.text:
            return rule("root", [literal("[]")])
        number, name = number_up_to(self._end), any_of([name.decode("utf-8") for name in self._names])
        parts = [literal('{"start_idx": '), number, literal(', "end_idx": '), number, literal(', "type": "'), name]
        record = " ".join([*parts, literal('", "entity": "'), "stretch", literal('"}')])
        rules = [rule("root", [literal("[]"), '"[" record (", " record)* "]"']), rule("record", [record])]
        return "\n".join([*rules, *stretches(self._substrings.pieces)])
