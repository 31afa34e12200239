"""Constraints on an answer, as automata over UTF-8 bytes.

A codec describes its legal answers as a graph of :class:`Node` s joined by byte strings ("pieces"). This module
walks such a graph a byte at a time. Bytes, not characters, because a tokenizer may split one Han character over
several tokens, none of which is text by itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Protocol

Edge = tuple[bytes, Hashable]

#: A walk's state: every (bytes still to come, node they lead to) that the bytes so far leave open, sorted.
State = tuple[tuple[bytes, Hashable], ...]


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

    States are hashable values, so callers may keep them as keys.
    """

    def __init__(self, graph: PieceGraph) -> None:
        self.graph = graph
        self._expanded: dict[Hashable, State] = {}
        self._steps: dict[tuple[State, int], State | None] = {}
        start = graph.start()
        self._finals: dict[State, bool] = {}
        self.start: State = self._open(start)

    def _open(self, node: Hashable) -> State:
        state = self._expanded.get(node)
        if state is None:
            # The empty piece stands for "arrived": it keeps the node itself, so that finality and drafts can be asked.
            state = ((b"", node), *self.graph.edges(node))
            self._expanded[node] = state
        return state

    def step(self, state: State, byte: int) -> State | None:
        """The state after ``byte``, or None when it may not follow."""
        key = (state, byte)
        if key in self._steps:
            return self._steps[key]
        following: list[tuple[bytes, Hashable]] = []
        for piece, node in state:
            if piece and piece[0] == byte:
                if len(piece) == 1:
                    following.extend(self._open(node))
                else:
                    following.append((piece[1:], node))
        after = tuple(following) or None
        self._steps[key] = after
        return after

    def walk(self, state: State, data: bytes) -> State | None:
        """The state after all of ``data``, or None when it is not legal."""
        current: State | None = state
        for byte in data:
            if current is None:
                return None
            current = self.step(current, byte)
        return current

    def next_bytes(self, state: State) -> frozenset[int]:
        """The bytes that may follow."""
        return frozenset(piece[0] for piece, _ in state if piece)

    def is_final(self, state: State) -> bool:
        """Whether the answer may end here."""
        return any(not piece and self.graph.is_final(node) for piece, node in state)

    def draft(self, state: State) -> bytes:
        """The likeliest bytes to follow, or nothing when there is no guess."""
        for piece, node in state:
            if not piece:
                return self.graph.draft(node)
        piece, node = state[0]
        return piece + self.graph.draft(node)

    def accepts(self, answer: str) -> bool:
        """Whether ``answer``, whole, is legal."""
        state = self.walk(self.start, answer.encode("utf-8", "surrogatepass"))
        return state is not None and self.is_final(state)
