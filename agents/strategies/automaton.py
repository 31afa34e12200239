"""Constraints on an answer, as automata over UTF-8 bytes.

A codec describes its legal answers as a graph of :class:`Node` s joined by byte strings ("pieces"). This module
walks such a graph a byte at a time. Bytes, not characters, because a tokenizer may split one Han character over
several tokens, none of which is text by itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, KeysView
from typing import Protocol

Edge = tuple[bytes, Hashable]

#: A walk's state, as the automaton that made it numbers them.
State = int

#: What the bytes so far leave open: pieces begun, how much of each is read, and the nodes they lead to.
_Open = tuple[tuple[bytes, int, Hashable], ...]


class PieceGraph(Protocol):
    """Legal answers as nodes joined by byte strings. Nodes are hashable and compare by value."""

    def start(self) -> Hashable:
        """The node of the empty answer."""
        ...

    def edges(self, node: Hashable) -> Iterable[Edge]:
        """The pieces that may follow, each with the node it leads to. No piece is empty."""
        ...

    def is_final(self, node: Hashable) -> bool:
        """Whether the answer may end here."""
        ...

    def draft(self, node: Hashable) -> bytes:
        """The likeliest way on from ``node``, as far as it is worth guessing; must be legal. May be empty."""
        ...


class Automaton:
    """A walk over a :class:`PieceGraph`: which bytes may follow, and where they lead.

    States are numbers, equal when what may follow is equal, so callers may keep them as keys: nodes of a long
    sentence are large, and only made and hashed once.
    """

    def __init__(self, graph: PieceGraph) -> None:
        self.graph = graph
        self._open: list[_Open] = []
        self._numbers: dict[_Open, State] = {}
        self._nodes: dict[Hashable, _Open] = {}
        #: By state, once it was asked for: the state after each byte, or what makes it, as long as it was not needed.
        self._ways: list[dict[int, State | _Open] | None] = []
        self.start: State = self._number(self._arrive(graph.start()))

    def _number(self, found: _Open) -> State:
        number = self._numbers.setdefault(found, len(self._open))
        if number == len(self._open):
            self._open.append(found)
            self._ways.append(None)
        return number

    def _arrive(self, node: Hashable) -> _Open:
        found = self._nodes.get(node)
        if found is None:
            # The empty piece stands for "arrived": it keeps the node itself, so that finality and drafts can be asked.
            found = ((b"", 0, node), *((piece, 0, after) for piece, after in self.graph.edges(node)))
            self._nodes[node] = found
        return found

    def _ways_on(self, state: State) -> dict[int, State | _Open]:
        ways = self._ways[state]
        if ways is None:
            grouped: dict[int, list[tuple[bytes, int, Hashable]]] = {}
            for piece, at, node in self._open[state]:
                if piece:
                    grouped.setdefault(piece[at], []).append((piece, at + 1, node))
            ways = {byte: tuple(begun) for byte, begun in grouped.items()}
            self._ways[state] = ways
        return ways

    def step(self, state: State, byte: int) -> State | None:
        """The state after ``byte``, or None when it may not follow."""
        ways = self._ways_on(state)
        way = ways.get(byte)
        if way is None or isinstance(way, int):
            return way
        following: list[tuple[bytes, int, Hashable]] = []
        for piece, at, node in way:
            if at == len(piece):
                following.extend(self._arrive(node))
            else:
                following.append((piece, at, node))
        after = self._number(tuple(following))
        ways[byte] = after
        return after

    def walk(self, state: State, data: bytes) -> State | None:
        """The state after all of ``data``, or None when it is not legal."""
        current: State | None = state
        for byte in data:
            if current is None:
                return None
            current = self.step(current, byte)
        return current

    def next_bytes(self, state: State) -> KeysView[int]:
        """The bytes that may follow."""
        return self._ways_on(state).keys()

    def is_final(self, state: State) -> bool:
        """Whether the answer may end here."""
        return any(not piece and self.graph.is_final(node) for piece, _, node in self._open[state])

    def draft(self, state: State) -> bytes:
        """The likeliest bytes to follow, or nothing when there is no guess."""
        for piece, _, node in self._open[state]:
            if not piece:
                return self.graph.draft(node)
        piece, at, node = self._open[state][0]
        return piece[at:] + self.graph.draft(node)

    def accepts(self, answer: str) -> bool:
        """Whether ``answer``, whole, is legal."""
        state = self.walk(self.start, answer.encode("utf-8", "surrogatepass"))
        return state is not None and self.is_final(state)
